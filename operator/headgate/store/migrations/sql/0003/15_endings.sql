-- Writes the outbox. Whatever statement ends a run, it costs no further round trip and cannot be forgotten.
--
-- An ending is kept where somebody acts on it: a node that called the run, event triggers of its namespace, or runs that
-- it called itself and that have not ended. Test and Debug runs set nothing off.
CREATE FUNCTION headgate.keep_ending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO headgate.run_endings AS r (workspace_id, run_id, started_at, namespace, workflow, phase, ended_at, due_at)
    SELECT NEW.workspace_id, NEW.id, NEW.started_at, w.namespace, w.name, NEW.status, NEW.finished_at, NEW.finished_at
    FROM headgate.workflows w
    WHERE w.workspace_id = NEW.workspace_id AND w.id = NEW.workflow_id AND (
        NEW.parent_run IS NOT NULL
        OR NEW.mode = 'Normal' AND EXISTS (
            SELECT FROM headgate.workflow_events v
            WHERE v.workspace_id = NEW.workspace_id AND v.namespace = w.namespace AND v.source = w.name
                AND NEW.status = ANY (v.phases)
        )
        OR NEW.status <> 'Succeeded' AND EXISTS (
            SELECT FROM headgate.workflow_executions c
            WHERE c.workspace_id = NEW.workspace_id AND c.parent_run = NEW.id AND c.started_at >= NEW.started_at
                AND c.status IN ('Pending', 'Running', 'Suspended')
        )
    )
    -- A run that was taken up again ends once more.
    ON CONFLICT (workspace_id, run_id) DO UPDATE
    SET phase = excluded.phase, ended_at = excluded.ended_at, due_at = excluded.due_at, failures = 0;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION headgate.keep_ending FROM PUBLIC;

CREATE TRIGGER keep_ending_of_new AFTER INSERT ON headgate.workflow_executions
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION headgate.keep_ending();
CREATE TRIGGER keep_ending AFTER UPDATE ON headgate.workflow_executions
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL)
    EXECUTE FUNCTION headgate.keep_ending();
