ALTER TABLE headgate.workflow_executions DROP COLUMN overdue;
