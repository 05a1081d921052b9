ALTER TABLE headgate.workflow_execution_steps DROP COLUMN cpu_requested, DROP COLUMN memory_requested;
