-- Attempts, as 0007 has it of runs; in a transaction of their own, so that no writer waits for one table and holds the other.

CREATE FUNCTION headgate.note_step_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO headgate.run_changes (workspace_id, transaction_id, execution_id, node, attempt, phase, reason,
        log_kept, changed_at)
    VALUES (NEW.workspace_id, CAST(CAST(pg_current_xact_id() AS text) AS bigint), NEW.execution_id, NEW.node,
        NEW.attempt, NEW.phase, NEW.reason, NEW.log_bytes IS NOT NULL, clock_timestamp());
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION headgate.note_step_change FROM PUBLIC;

CREATE TRIGGER note_change_of_new AFTER INSERT ON headgate.workflow_execution_steps
    FOR EACH ROW EXECUTE FUNCTION headgate.note_step_change();
CREATE TRIGGER note_change AFTER UPDATE ON headgate.workflow_execution_steps
    FOR EACH ROW WHEN ((OLD.phase, OLD.reason, OLD.log_bytes) IS DISTINCT FROM (NEW.phase, NEW.reason, NEW.log_bytes))
    EXECUTE FUNCTION headgate.note_step_change();
