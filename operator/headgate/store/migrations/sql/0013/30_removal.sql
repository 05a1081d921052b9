-- How rows leave the history. Running programs have no DELETE on it: these functions act as the owner, and look for
-- themselves whether what they remove was verified. What the owner may see meanwhile is in 40_security.sql.

CREATE FUNCTION headgate.remove_archived(_part uuid, _runs uuid[], _started_at timestamptz[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workspace uuid := NULLIF(current_setting('app.workspace_id', true), '')::uuid;
    part      headgate.archive_parts;
    removed   integer;
BEGIN
    PERFORM set_config('headgate.removing', 'part', true);
    SELECT * INTO part FROM headgate.archive_parts p
    WHERE p.workspace_id = workspace AND p.id = _part AND p.state = 'Verified' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no verified part %', _part USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF (SELECT r.legal_hold FROM headgate.data_retention_policies r WHERE r.workspace_id = workspace) THEN
        RAISE EXCEPTION 'the workspace is under legal hold' USING ERRCODE = 'insufficient_privilege';
    END IF;
    WITH named AS MATERIALIZED (
        SELECT n.id, n.started_at FROM unnest(_runs, _started_at) AS n (id, started_at)
    ), gone AS (
        DELETE FROM headgate.workflow_executions e USING named n
        WHERE e.workspace_id = workspace AND e.started_at = n.started_at AND e.id = n.id
            AND e.started_at >= part.month::timestamp AT TIME ZONE 'UTC'
            AND e.started_at < (part.month + interval '1 month') AT TIME ZONE 'UTC'
            AND e.id BETWEEN part.first_run AND part.last_run AND e.finished_at < part.ended_before
        RETURNING e.id, e.started_at
    ), steps AS (
        DELETE FROM headgate.workflow_execution_steps s USING gone g
        WHERE s.workspace_id = workspace AND s.started_at = g.started_at AND s.execution_id = g.id
            AND s.started_at >= part.month::timestamp AT TIME ZONE 'UTC'
            AND s.started_at < (part.month + interval '1 month') AT TIME ZONE 'UTC'
    ), labels AS (
        DELETE FROM headgate.execution_labels l USING gone g
        WHERE l.workspace_id = workspace AND l.started_at = g.started_at AND l.execution_id = g.id
            AND l.started_at >= part.month::timestamp AT TIME ZONE 'UTC'
            AND l.started_at < (part.month + interval '1 month') AT TIME ZONE 'UTC'
    )
    SELECT count(*) INTO removed FROM gone;
    PERFORM set_config('headgate.removing', '', true);
    RETURN removed;
END
$$;
COMMENT ON FUNCTION headgate.remove_archived IS 'Deletes runs that are in a verified part of the transaction''s workspace, with their steps and labels. Returns how many were there.';

CREATE FUNCTION headgate.drop_archived_month(_month date, _reference timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lower_end  timestamptz := _month::timestamp AT TIME ZONE 'UTC';
    upper_end  timestamptz := (_month + interval '1 month') AT TIME ZONE 'UTC';
    parents    oid[];
    parent     oid;
    others     bigint;
BEGIN
    IF date_trunc('month', _month) <> _month OR upper_end > _reference - interval '7 days' THEN
        RAISE EXCEPTION '% is no month that has been over for a week', _month;
    END IF;
    -- Whoever adds a run to the month shares this: none comes from here on.
    PERFORM pg_advisory_xact_lock(headgate.month_lock(lower_end));
    PERFORM set_config('headgate.removing', 'month', true);
    IF NOT EXISTS (SELECT FROM headgate.archive_parts p WHERE p.month = _month AND p.state = 'Verified')
        AND EXISTS (SELECT FROM headgate.workflow_executions e WHERE e.started_at >= lower_end AND e.started_at < upper_end)
    THEN
        PERFORM set_config('headgate.removing', '', true);
        RETURN 'NotArchived';
    END IF;
    -- What is in a verified part does not change, and no run is in two of them: so it is enough to count, which an index does.
    SELECT count(*) INTO others FROM (
        SELECT e.workspace_id, count(*) AS runs
        FROM headgate.workflow_executions e
        WHERE e.started_at >= lower_end AND e.started_at < upper_end GROUP BY e.workspace_id
    ) h FULL JOIN (
        SELECT p.workspace_id, sum(p.runs) AS runs
        FROM headgate.archive_parts p WHERE p.month = _month AND p.state = 'Verified' GROUP BY p.workspace_id
    ) p ON p.workspace_id = h.workspace_id
    LEFT JOIN headgate.data_retention_policies r ON r.workspace_id = h.workspace_id
    WHERE h.runs IS DISTINCT FROM p.runs OR r.legal_hold;
    IF others > 0 OR EXISTS (
        SELECT FROM headgate.workflow_executions e
        WHERE e.started_at >= lower_end AND e.started_at < upper_end AND e.status IN ('Pending', 'Running', 'Suspended')
    ) THEN
        PERFORM set_config('headgate.removing', '', true);
        RETURN 'NotArchived';
    END IF;
    UPDATE headgate.archive_parts SET state = 'Removed' WHERE month = _month AND state = 'Verified';
    PERFORM set_config('headgate.removing', '', true);
    -- Whoever waits for such a lock has everybody else wait behind: better to come again.
    PERFORM set_config('lock_timeout', '250', true);
    parents := ARRAY(
        SELECT i.inhparent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE c.relnamespace = 'headgate'::regnamespace AND c.relname ~ ('_' || to_char(_month, 'YYYY_MM') || '$')
        -- In the order in which they were made, which is that in which they are written.
        ORDER BY i.inhparent
    );
    FOREACH parent IN ARRAY parents LOOP
        EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', parent::regclass);
    END LOOP;
    FOREACH parent IN ARRAY parents LOOP
        EXECUTE format('DROP TABLE %s', (
            SELECT i.inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = parent AND c.relname ~ ('_' || to_char(_month, 'YYYY_MM') || '$')
        ));
    END LOOP;
    RETURN 'Dropped';
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
    RETURN 'Busy';
END
$$;
COMMENT ON FUNCTION headgate.drop_archived_month IS 'Drops the partitions of a month all of whose runs are in verified parts, and says so of the parts: all of it, or nothing.';

CREATE FUNCTION headgate.months_before(_reference timestamptz) RETURNS SETOF date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.month FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    -- The planner may look at the names of other tables first.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN c.relname ~ '_[0-9]{4}_[0-9]{2}$' THEN to_date(right(c.relname, 7), 'YYYY_MM') END AS month
    ) m
    WHERE i.inhparent = 'headgate.workflow_executions'::regclass
        AND (m.month + interval '1 month') AT TIME ZONE 'UTC' <= _reference - interval '7 days'
    ORDER BY 1
$$;
COMMENT ON FUNCTION headgate.months_before IS 'Months that have partitions and have been over for a week.';

REVOKE ALL ON FUNCTION headgate.remove_archived, headgate.drop_archived_month, headgate.months_before FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.remove_archived TO headgate_app;
GRANT EXECUTE ON FUNCTION headgate.drop_archived_month, headgate.months_before TO headgate_system;
