-- As 0022 has them.

CREATE OR REPLACE FUNCTION headgate.keep_bytes(_workspace uuid, _bytes bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    stored bigint;
    quota  headgate.workspace_resource_quotas;
BEGIN
    IF _bytes = 0 THEN
        RETURN true;
    END IF;
    SELECT storage_bytes INTO STRICT stored FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    IF _bytes < 0 THEN
        _bytes := GREATEST(_bytes, -stored);
    END IF;
    SELECT * INTO STRICT quota FROM headgate.workspace_resource_quotas WHERE workspace_id = _workspace;
    IF quota.pot IS NOT NULL THEN
        SELECT storage_bytes INTO STRICT stored FROM headgate.quota_pots WHERE name = quota.pot FOR UPDATE;
    END IF;
    IF _bytes > 0 AND stored + _bytes > quota.max_storage_mb::bigint * 1000000 THEN
        RETURN false;
    END IF;
    UPDATE headgate.workspace_usage SET storage_bytes = storage_bytes + _bytes WHERE workspace_id = _workspace;
    UPDATE headgate.quota_pots SET storage_bytes = GREATEST(storage_bytes + _bytes, 0) WHERE name = quota.pot;
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION headgate.room(
    _workspace uuid, _workflow uuid, _now timestamptz, _kept bigint, _given bigint, _own bigint, _overtake boolean,
    _limit integer, _mutex text, _callers uuid[],
    OUT reason text, OUT refused boolean, OUT until timestamptz, OUT probe integer, OUT lender uuid
) LANGUAGE plpgsql AS $$
DECLARE
    used     headgate.workspace_usage;
    quota    headgate.workspace_resource_quotas;
    pot      headgate.quota_pots;
    breaker  headgate.workspace_circuit_breakers;
    today    date := (_now AT TIME ZONE 'UTC')::date;
    this_month date := date_trunc('month', _now AT TIME ZONE 'UTC')::date;
    stopped  boolean;
    paused   boolean;
    above    record;
    most     bigint;
BEGIN
    SELECT * INTO STRICT used FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    SELECT * INTO STRICT quota FROM headgate.workspace_resource_quotas WHERE workspace_id = _workspace;
    IF quota.pot IS NOT NULL THEN
        SELECT * INTO STRICT pot FROM headgate.quota_pots WHERE name = quota.pot FOR UPDATE;
        used.running := pot.running;
        used.day := pot.day;
        used.executions := pot.executions;
        used.storage_bytes := pot.storage_bytes;
    END IF;
    most := quota.max_storage_mb::bigint * 1000000;
    SELECT * INTO breaker FROM headgate.workspace_circuit_breakers WHERE workspace_id = _workspace;
    SELECT suspended INTO STRICT stopped FROM headgate.workspaces WHERE id = _workspace;
    SELECT suspended INTO STRICT paused FROM headgate.workflows WHERE workspace_id = _workspace AND id = _workflow;
    -- What the runs have that wait for this one: who waits for a run cannot be what the run waits for.
    SELECT coalesce(bool_or(e.id = _callers[cardinality(_callers)]), false) AS calls,
        coalesce(bool_or(e.workflow_id = _workflow), false) AS same_workflow,
        coalesce(bool_or(e.mutex = _mutex), false) AS same_mutex,
        coalesce(bool_or(e.probe = breaker.episode), false) AS tried
    INTO above FROM headgate.workflow_executions e
    WHERE cardinality(_callers) > 0 AND e.workspace_id = _workspace AND e.status IN ('Running', 'Suspended')
        AND e.running_since IS NOT NULL AND e.mode = 'Normal' AND e.id = ANY (_callers);
    IF above.calls AND NOT EXISTS (
        SELECT FROM headgate.borrowed_places b
        WHERE b.workspace_id = _workspace AND b.lender = _callers[cardinality(_callers)]
    ) THEN
        lender := _callers[cardinality(_callers)];
    END IF;
    refused := false;
    IF stopped THEN
        reason := 'Suspended';
    ELSIF paused THEN
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
    ELSIF used.day >= today AND used.executions >= quota.max_executions_per_day
        OR quota.max_executions_per_day = 0 THEN
        reason := 'DailyLimit';
        until := (today + 1)::timestamp AT TIME ZONE 'UTC';
    ELSIF quota.budget_stops AND quota.budget <= (CASE WHEN used.month >= this_month THEN used.spent ELSE 0 END) THEN
        reason := 'Budget';
        until := (this_month + interval '1 month') AT TIME ZONE 'UTC';
    ELSIF lender IS NULL AND used.running >= quota.max_concurrent_runs THEN
        reason := 'ConcurrencyLimit';
    ELSIF used.storage_bytes - _own >= most OR used.storage_bytes + _kept > most THEN
        reason := 'StorageLimit';
    END IF;
    IF reason IS NOT NULL THEN
        refused := quota.on_exceeded = 'Reject' AND reason IN ('DailyLimit', 'Budget', 'ConcurrencyLimit', 'StorageLimit');
    ELSIF breaker.state = 'Open' AND _now < breaker.retry_at THEN
        reason := 'CircuitOpen';
        until := breaker.retry_at;
    ELSIF breaker.state = 'HalfOpen' AND NOT above.tried
        AND breaker.probes + LEAST(breaker.passed, breaker.half_open_runs - 1) >= breaker.half_open_runs THEN
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
    ELSIF breaker.state = 'Open' THEN
        probe := breaker.episode + 1;
    ELSIF breaker.state = 'HalfOpen' AND NOT above.tried THEN
        probe := breaker.episode;
    END IF;
    IF reason IS NULL AND _given > 0 AND used.storage_bytes + _kept + _given > most THEN
        -- Whoever asks decides anew what of it is kept, and asks again under the lock.
        reason := 'StorageNarrow';
        refused := true;
    END IF;
END
$$;
