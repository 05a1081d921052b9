-- As 0022 has it, with one statement where it had four, and none about callers where there are none.

CREATE OR REPLACE FUNCTION headgate.room(
    _workspace uuid, _workflow uuid, _now timestamptz, _kept bigint, _given bigint, _own bigint, _overtake boolean,
    _limit integer, _mutex text, _callers uuid[],
    OUT reason text, OUT refused boolean, OUT until timestamptz, OUT probe integer, OUT lender uuid
) LANGUAGE plpgsql AS $$
DECLARE
    used     headgate.workspace_usage;
    known    record;
    pot      headgate.quota_pots;
    today    date := (_now AT TIME ZONE 'UTC')::date;
    this_month date := date_trunc('month', _now AT TIME ZONE 'UTC')::date;
    above    record;
    most     bigint;
BEGIN
    SELECT * INTO STRICT used FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    LOOP
        -- By statements of their own, so that they see what was written before the locks were had.
        SELECT q.pot, q.max_executions_per_day, q.max_concurrent_runs, q.max_storage_mb, q.budget, q.budget_stops,
            q.on_exceeded, b.state, b.retry_at, b.episode, b.probes, b.passed, b.half_open_runs, w.suspended AS stopped,
            f.suspended AS paused
        INTO STRICT known
        FROM headgate.workspace_resource_quotas q JOIN headgate.workspaces w ON w.id = q.workspace_id
        JOIN headgate.workflows f ON f.workspace_id = q.workspace_id AND f.id = _workflow
        LEFT JOIN headgate.workspace_circuit_breakers b ON b.workspace_id = q.workspace_id
        WHERE q.workspace_id = _workspace;
        EXIT WHEN known.pot IS NULL OR known.pot = pot.name;
        SELECT * INTO STRICT pot FROM headgate.quota_pots WHERE name = known.pot FOR UPDATE;
    END LOOP;
    IF known.pot IS NOT NULL THEN
        used.running := pot.running;
        used.day := pot.day;
        used.executions := pot.executions;
        used.storage_bytes := pot.storage_bytes;
    END IF;
    most := known.max_storage_mb::bigint * 1000000;
    -- What the runs have that wait for this one: who waits for a run cannot be what the run waits for. Most have none, and
    -- then no month is opened.
    IF cardinality(_callers) > 0 THEN
        SELECT coalesce(bool_or(e.id = _callers[cardinality(_callers)]), false) AS calls,
            coalesce(bool_or(e.workflow_id = _workflow), false) AS same_workflow,
            coalesce(bool_or(e.mutex = _mutex), false) AS same_mutex,
            coalesce(bool_or(e.probe = known.episode), false) AS tried
        INTO above FROM headgate.workflow_executions e
        WHERE e.workspace_id = _workspace AND e.status IN ('Running', 'Suspended')
            AND e.running_since IS NOT NULL AND e.mode = 'Normal' AND e.id = ANY (_callers);
    ELSE
        SELECT false AS calls, false AS same_workflow, false AS same_mutex, false AS tried INTO above;
    END IF;
    IF above.calls AND NOT EXISTS (
        SELECT FROM headgate.borrowed_places b
        WHERE b.workspace_id = _workspace AND b.lender = _callers[cardinality(_callers)]
    ) THEN
        lender := _callers[cardinality(_callers)];
    END IF;
    refused := false;
    IF known.stopped THEN
        reason := 'Suspended';
    ELSIF known.paused THEN
        reason := 'WorkflowSuspended';
    ELSIF _limit IS NOT NULL AND _limit <= (
        SELECT count(*) FROM (
            SELECT FROM headgate.workflow_executions e
            WHERE e.workspace_id = _workspace AND e.workflow_id = _workflow AND e.status IN ('Running', 'Suspended')
                AND e.running_since IS NOT NULL AND e.mode = 'Normal' AND e.id <> ALL (_callers)
            LIMIT _limit
        ) under_way
    ) THEN
        reason := 'WorkflowConcurrency';
    ELSIF _mutex IS NOT NULL AND EXISTS (
        SELECT FROM headgate.workflow_executions e
        WHERE e.workspace_id = _workspace AND e.mutex = _mutex AND e.status IN ('Running', 'Suspended')
            AND e.running_since IS NOT NULL AND e.id <> ALL (_callers)
    ) THEN
        reason := 'Mutex';
    ELSIF used.day >= today AND used.executions >= known.max_executions_per_day
        OR known.max_executions_per_day = 0 THEN
        reason := 'DailyLimit';
        until := (today + 1)::timestamp AT TIME ZONE 'UTC';
    ELSIF known.budget_stops AND known.budget <= (CASE WHEN used.month >= this_month THEN used.spent ELSE 0 END) THEN
        reason := 'Budget';
        until := (this_month + interval '1 month') AT TIME ZONE 'UTC';
    ELSIF lender IS NULL AND used.running >= known.max_concurrent_runs THEN
        reason := 'ConcurrencyLimit';
    ELSIF used.storage_bytes - _own >= most OR used.storage_bytes + _kept > most THEN
        reason := 'StorageLimit';
    END IF;
    IF reason IS NOT NULL THEN
        refused := known.on_exceeded = 'Reject' AND reason IN ('DailyLimit', 'Budget', 'ConcurrencyLimit', 'StorageLimit');
    ELSIF known.state = 'Open' AND _now < known.retry_at THEN
        reason := 'CircuitOpen';
        until := known.retry_at;
    ELSIF known.state = 'HalfOpen' AND NOT above.tried
        AND known.probes + LEAST(known.passed, known.half_open_runs - 1) >= known.half_open_runs THEN
        reason := 'CircuitOpen';
    ELSIF NOT _overtake AND (
        lender IS NULL AND used.queued > 0
        OR _mutex IS NOT NULL AND NOT above.same_mutex AND EXISTS (
            SELECT FROM headgate.workflow_executions e
            WHERE e.workspace_id = _workspace AND e.mutex = _mutex AND e.status = 'Pending'
                AND e.waiting_reason IN ('WorkflowConcurrency', 'Mutex')
        )
        OR _limit IS NOT NULL AND NOT above.same_workflow AND EXISTS (
            SELECT FROM headgate.workflow_executions e
            WHERE e.workspace_id = _workspace AND e.workflow_id = _workflow AND e.status = 'Pending'
                AND e.waiting_reason IN ('WorkflowConcurrency', 'Mutex')
        )
    ) THEN
        reason := 'Queued';
    ELSIF known.state = 'Open' THEN
        probe := known.episode + 1;
    ELSIF known.state = 'HalfOpen' AND NOT above.tried THEN
        probe := known.episode;
    END IF;
    IF reason IS NULL AND _given > 0 AND used.storage_bytes + _kept + _given > most THEN
        -- Whoever asks decides anew what of it is kept, and asks again under the lock.
        reason := 'StorageNarrow';
        refused := true;
    END IF;
END
$$;
