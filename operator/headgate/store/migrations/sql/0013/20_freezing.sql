-- What a part was made of must not change any more, and a month must not get a run while it goes. Both cost an
-- expression for each row that is written as usual: ended runs are seldom written, and runs of the past hardly ever.
-- The triggers are in 50_runs.sql and in 0013a.

CREATE FUNCTION headgate.refuse_to_change_archived_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM headgate.archive_parts p
        WHERE p.workspace_id = OLD.workspace_id AND p.state IN ('Writing', 'Verified')
            AND p.month = date_trunc('month', OLD.started_at AT TIME ZONE 'UTC')::date
            AND OLD.finished_at < p.ended_before AND (p.state = 'Writing' OR OLD.id BETWEEN p.first_run AND p.last_run)
    ) THEN
        RAISE EXCEPTION 'the run is being moved to the archive' USING ERRCODE = 'object_in_use';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION headgate.refuse_to_change_archived_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM headgate.archive_parts p
        JOIN headgate.workflow_executions e ON e.workspace_id = p.workspace_id AND e.finished_at < p.ended_before
        WHERE p.workspace_id = OLD.workspace_id AND p.state IN ('Writing', 'Verified')
            AND p.month = date_trunc('month', OLD.started_at AT TIME ZONE 'UTC')::date
            AND (p.state = 'Writing' OR OLD.execution_id BETWEEN p.first_run AND p.last_run)
            AND e.started_at = OLD.started_at AND e.id = OLD.execution_id
    ) THEN
        RAISE EXCEPTION 'the run is being moved to the archive' USING ERRCODE = 'object_in_use';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION headgate.month_lock(started_at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE
AS $$ SELECT hashtextextended('headgate.month/' || to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM'), 0) $$;

CREATE FUNCTION headgate.enter_past_month() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(headgate.month_lock(NEW.started_at));
    RETURN NEW;
END
$$;

REVOKE ALL ON FUNCTION headgate.refuse_to_change_archived_run, headgate.refuse_to_change_archived_step,
    headgate.month_lock, headgate.enter_past_month FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.month_lock TO headgate_app;
