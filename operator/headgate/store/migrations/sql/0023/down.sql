ALTER TABLE headgate.workflow_execution_steps DROP COLUMN cpu_used, DROP COLUMN memory_used;
