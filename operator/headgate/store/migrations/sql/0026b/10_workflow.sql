-- Whose runs ended so: then a page by workflow and label reads a range of one index, as one by label alone does.

ALTER TABLE headgate.ended_labels ADD COLUMN workflow_id uuid;
COMMENT ON COLUMN headgate.ended_labels.workflow_id IS 'The workflow of the run; NULL where the row was written before there was the column, and its workspace was not looked after since.';
-- What lacks it is given it by the operator, which looks after workspaces.
GRANT UPDATE (workflow_id) ON headgate.ended_labels TO headgate_app;

ALTER TABLE headgate.upkeep_days ADD COLUMN workflows_from uuid;
COMMENT ON COLUMN headgate.upkeep_days.workflows_from IS 'Runs with this id or a later one are in ended_labels with their workflow; the nil UUID: all of them are.';

-- As 0024 has it, with the workflow.
CREATE OR REPLACE FUNCTION headgate.keep_ended_labels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One may be there: what has none is given them beside writers, by what it saw of the run.
    INSERT INTO headgate.ended_labels (workspace_id, key, value, status, started_at, execution_id, workflow_id)
    SELECT NEW.workspace_id, l.key, l.value, NEW.status, NEW.started_at, NEW.id, NEW.workflow_id
    FROM jsonb_each_text(NEW.labels) l
    ON CONFLICT (workspace_id, key, value, status, started_at, execution_id) DO NOTHING;
    RETURN NULL;
END
$$;
