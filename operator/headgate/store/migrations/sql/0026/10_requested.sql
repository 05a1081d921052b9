-- What attempts requested, beside what they were measured to use.

ALTER TABLE headgate.workflow_execution_steps
    ADD COLUMN cpu_requested numeric,
    ADD COLUMN memory_requested numeric;
COMMENT ON COLUMN headgate.workflow_execution_steps.cpu_requested IS 'CPUs that the attempt requested, as it was admitted; NULL where that is not known.';
COMMENT ON COLUMN headgate.workflow_execution_steps.memory_requested IS 'Bytes of memory that the attempt requested, as it was admitted; NULL where that is not known.';
