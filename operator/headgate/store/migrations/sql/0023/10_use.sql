-- What attempts were measured to use, where that was told.

ALTER TABLE headgate.workflow_execution_steps
    ADD COLUMN cpu_used numeric,
    ADD COLUMN memory_used numeric;
COMMENT ON COLUMN headgate.workflow_execution_steps.cpu_used IS 'CPUs that the attempt used in the mean, as it was measured; NULL where it was not.';
COMMENT ON COLUMN headgate.workflow_execution_steps.memory_used IS 'Bytes of memory that the attempt used in the mean, as it was measured; NULL where it was not.';
