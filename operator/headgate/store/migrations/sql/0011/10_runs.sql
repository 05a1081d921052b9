CREATE FUNCTION headgate.tally_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    run   headgate.workflow_executions := NEW;
    sign  integer := 1;
BEGIN
    IF NEW.finished_at IS NULL THEN
        run := OLD;
        sign := -1;
    END IF;
    INSERT INTO headgate.analytics_deltas (workspace_id, workflow_id, day, sign, phase, duration_ms, queue_ms)
    VALUES (run.workspace_id, run.workflow_id, (run.finished_at AT TIME ZONE 'UTC')::date, sign, run.status, run.duration_ms,
        CASE WHEN run.retries = 0
            THEN greatest(floor(extract(epoch FROM run.running_since - run.started_at) * 1000), 0) END);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION headgate.tally_run FROM PUBLIC;

CREATE TRIGGER tally_run_of_new AFTER INSERT ON headgate.workflow_executions
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL AND NEW.mode = 'Normal') EXECUTE FUNCTION headgate.tally_run();
CREATE TRIGGER tally_run AFTER UPDATE ON headgate.workflow_executions
    FOR EACH ROW WHEN ((OLD.finished_at IS NULL) <> (NEW.finished_at IS NULL) AND NEW.mode = 'Normal')
    EXECUTE FUNCTION headgate.tally_run();
