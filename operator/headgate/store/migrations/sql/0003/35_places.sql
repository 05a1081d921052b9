-- Places among the runs that the quota bounds. A called run starts in its caller's place while no other run is in it, so that
-- callers never fill the workspace and wait for what finds no room in it.

CREATE FUNCTION headgate.take_place(
    _workspace uuid, _today date, _running integer, _queued integer, _executions integer, _bytes bigint, _probe integer,
    _run uuid, _lender uuid
) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF _running > 0 AND _lender IS NOT NULL THEN
        INSERT INTO headgate.borrowed_places (workspace_id, run_id, lender) VALUES (_workspace, _run, _lender);
        _running := 0;
    END IF;
    RETURN headgate.count_use(_workspace, _today, _running, _queued, _executions, _bytes, _probe);
END
$$;
COMMENT ON FUNCTION headgate.take_place IS 'count_use for a run that may start, which has its place from then on: its own, or that of the lender if there is one.';

CREATE FUNCTION headgate.leave_place(_workspace uuid, _run uuid, _today date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    lent_by uuid;
    waiting integer;
BEGIN
    PERFORM FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    DELETE FROM headgate.borrowed_places WHERE workspace_id = _workspace AND run_id = _run RETURNING lender INTO lent_by;
    -- Who runs in the place of this run keeps it.
    IF lent_by IS NOT NULL THEN
        UPDATE headgate.borrowed_places SET lender = lent_by WHERE workspace_id = _workspace AND lender = _run;
    ELSE
        DELETE FROM headgate.borrowed_places WHERE workspace_id = _workspace AND lender = _run;
    END IF;
    waiting := headgate.count_use(
        _workspace, _today, CASE WHEN lent_by IS NULL AND NOT FOUND THEN -1 ELSE 0 END, 0, 0, 0, NULL);
    IF waiting = 0 THEN
        SELECT count(*) INTO waiting FROM (
            SELECT FROM headgate.workflow_executions e
            WHERE e.workspace_id = _workspace AND e.status = 'Pending'
                AND (e.mutex IS NOT NULL OR e.concurrency_limit IS NOT NULL)
                AND e.waiting_reason IN ('WorkflowConcurrency', 'Mutex')
            LIMIT 1
        ) held;
    END IF;
    RETURN waiting;
END
$$;
COMMENT ON FUNCTION headgate.leave_place IS 'Gives back the place of a run that ends, or leaves it to the run that is in it. Returns how many runs wait for room in the workspace, one at least where a run waits for its mutex or for others of its workflow.';

REVOKE ALL ON FUNCTION headgate.take_place, headgate.leave_place FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.take_place, headgate.leave_place TO headgate_app;
