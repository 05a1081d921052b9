-- Runs whose time is over, and whose final nodes still run.

ALTER TABLE headgate.workflow_executions ADD COLUMN overdue boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN headgate.workflow_executions.overdue IS 'It was asked to end because its time was over: it fails.';
