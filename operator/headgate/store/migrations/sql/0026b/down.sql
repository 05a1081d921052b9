-- Nobody is in the function then: what it writes goes with the column.
LOCK TABLE headgate.workflow_executions IN ACCESS EXCLUSIVE MODE;

-- As 0024 has it.
CREATE OR REPLACE FUNCTION headgate.keep_ended_labels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One may be there: what has none is given them beside writers, by what it saw of the run.
    INSERT INTO headgate.ended_labels (workspace_id, key, value, status, started_at, execution_id)
    SELECT NEW.workspace_id, l.key, l.value, NEW.status, NEW.started_at, NEW.id FROM jsonb_each_text(NEW.labels) l
    ON CONFLICT (workspace_id, key, value, status, started_at, execution_id) DO NOTHING;
    RETURN NULL;
END
$$;
ALTER TABLE headgate.upkeep_days DROP COLUMN workflows_from;
ALTER TABLE headgate.ended_labels DROP COLUMN workflow_id;
