-- As 0013 has it, for one table more: what a part has of its runs' artifacts goes with them.
CREATE OR REPLACE FUNCTION headgate.remove_archived(_part uuid, _runs uuid[], _started_at timestamptz[]) RETURNS integer
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
    ), artifacts AS (
        DELETE FROM headgate.run_artifacts a USING gone g
        WHERE a.workspace_id = workspace AND a.started_at = g.started_at AND a.execution_id = g.id
            AND a.started_at >= part.month::timestamp AT TIME ZONE 'UTC'
            AND a.started_at < (part.month + interval '1 month') AT TIME ZONE 'UTC'
    )
    SELECT count(*) INTO removed FROM gone;
    PERFORM set_config('headgate.removing', '', true);
    RETURN removed;
END
$$;
COMMENT ON FUNCTION headgate.remove_archived IS 'Deletes runs that are in a verified part of the transaction''s workspace, with their steps, labels and artifacts. Returns how many were there.';
