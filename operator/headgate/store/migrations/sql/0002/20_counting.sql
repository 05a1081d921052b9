-- Everything that counts goes through these functions. They lock the workspace's row of workspace_usage first and the
-- row of its pot second, and look at the rest afterwards: what they decide holds until the transaction ends.

CREATE FUNCTION headgate.room(
    _workspace uuid, _workflow uuid, _now timestamptz, _bytes bigint, _overtake boolean,
    OUT reason text, OUT refused boolean, OUT until timestamptz, OUT probe integer
) LANGUAGE plpgsql AS $$
DECLARE
    used     headgate.workspace_usage;
    quota    headgate.workspace_resource_quotas;
    pot      headgate.quota_pots;
    breaker  headgate.workspace_circuit_breakers;
    today    date := (_now AT TIME ZONE 'UTC')::date;
    stopped  boolean;
    paused   boolean;
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
    SELECT * INTO breaker FROM headgate.workspace_circuit_breakers WHERE workspace_id = _workspace;
    SELECT suspended INTO STRICT stopped FROM headgate.workspaces WHERE id = _workspace;
    SELECT suspended INTO STRICT paused FROM headgate.workflows WHERE workspace_id = _workspace AND id = _workflow;
    refused := false;
    IF stopped THEN
        reason := 'Suspended';
    ELSIF paused THEN
        reason := 'WorkflowSuspended';
    ELSIF used.day >= today AND used.executions >= quota.max_executions_per_day
        OR quota.max_executions_per_day = 0 THEN
        reason := 'DailyLimit';
        until := (today + 1)::timestamp AT TIME ZONE 'UTC';
    ELSIF used.running >= quota.max_concurrent_runs THEN
        reason := 'ConcurrencyLimit';
    ELSIF used.storage_bytes >= quota.max_storage_mb::bigint * 1000000
        OR used.storage_bytes + _bytes > quota.max_storage_mb::bigint * 1000000 THEN
        reason := 'StorageLimit';
    END IF;
    IF reason IS NOT NULL THEN
        refused := quota.on_exceeded = 'Reject' AND reason IN ('DailyLimit', 'ConcurrencyLimit', 'StorageLimit');
    ELSIF breaker.state = 'Open' AND _now < breaker.retry_at THEN
        reason := 'CircuitOpen';
        until := breaker.retry_at;
    ELSIF breaker.state = 'HalfOpen' AND breaker.probes + LEAST(breaker.passed, breaker.half_open_runs - 1)
        >= breaker.half_open_runs THEN
        reason := 'CircuitOpen';
    ELSIF used.queued > 0 AND NOT _overtake THEN
        reason := 'Queued';
    ELSIF breaker.state = 'Open' THEN
        probe := breaker.episode + 1;
    ELSIF breaker.state = 'HalfOpen' THEN
        probe := breaker.episode;
    END IF;
END
$$;
COMMENT ON FUNCTION headgate.room IS 'Whether one more run may start, which keeps so many bytes: why not, whether it is refused or waits, until when, and the episode in which the circuit breaker tries it.';

CREATE FUNCTION headgate.count_use(
    _workspace uuid, _today date, _running integer, _queued integer, _executions integer, _bytes bigint, _probe integer
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    waiting integer;
BEGIN
    UPDATE headgate.workspace_usage SET
        running = running + _running,
        queued = queued + _queued,
        executions = CASE WHEN day >= _today THEN executions ELSE 0 END + _executions,
        day = GREATEST(day, _today),
        storage_bytes = storage_bytes + _bytes
    WHERE workspace_id = _workspace
    RETURNING queued INTO STRICT waiting;
    UPDATE headgate.quota_pots p SET
        running = p.running + _running,
        executions = CASE WHEN p.day >= _today THEN p.executions ELSE 0 END + _executions,
        day = GREATEST(p.day, _today),
        storage_bytes = p.storage_bytes + _bytes
    FROM headgate.workspace_resource_quotas q
    WHERE q.workspace_id = _workspace AND p.name = q.pot AND (_running, _executions, _bytes) <> (0, 0, 0);
    IF _probe IS NOT NULL THEN
        UPDATE headgate.workspace_circuit_breakers SET
            probes = CASE WHEN episode = _probe THEN probes + 1 ELSE 1 END,
            passed = CASE WHEN episode = _probe THEN passed ELSE 0 END,
            state = 'HalfOpen', episode = _probe, retry_at = NULL
        WHERE workspace_id = _workspace;
    END IF;
    RETURN waiting;
END
$$;
COMMENT ON FUNCTION headgate.count_use IS 'Adds to what the workspace and its pot use. Returns how many runs wait for room in the workspace.';

CREATE FUNCTION headgate.keep_bytes(_workspace uuid, _bytes bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    stored bigint;
    quota  headgate.workspace_resource_quotas;
BEGIN
    IF _bytes = 0 THEN
        RETURN true;
    END IF;
    SELECT storage_bytes INTO STRICT stored FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    SELECT * INTO STRICT quota FROM headgate.workspace_resource_quotas WHERE workspace_id = _workspace;
    IF quota.pot IS NOT NULL THEN
        SELECT storage_bytes INTO STRICT stored FROM headgate.quota_pots WHERE name = quota.pot FOR UPDATE;
    END IF;
    IF stored + _bytes > quota.max_storage_mb::bigint * 1000000 THEN
        RETURN false;
    END IF;
    UPDATE headgate.workspace_usage SET storage_bytes = storage_bytes + _bytes WHERE workspace_id = _workspace;
    UPDATE headgate.quota_pots SET storage_bytes = storage_bytes + _bytes WHERE name = quota.pot;
    RETURN true;
END
$$;
COMMENT ON FUNCTION headgate.keep_bytes IS 'Counts bytes that are to be kept, unless they would exceed the limit: then nothing is counted, and they are not to be kept.';

CREATE FUNCTION headgate.move_to_pot(_workspace uuid, _pot text, _today date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    used   headgate.workspace_usage;
    before text;
    side   record;
BEGIN
    SELECT * INTO STRICT used FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    SELECT pot INTO STRICT before FROM headgate.workspace_resource_quotas WHERE workspace_id = _workspace;
    IF before IS NOT DISTINCT FROM _pot THEN
        RETURN;
    END IF;
    IF _pot IS NOT NULL THEN
        INSERT INTO headgate.quota_pots (name, running, day, executions, storage_bytes)
        VALUES (_pot, 0, _today, 0, 0) ON CONFLICT (name) DO NOTHING;
    END IF;
    -- In the order of their names, as two workspaces may change places.
    FOR side IN SELECT * FROM (VALUES (before, -1), (_pot, 1)) AS sides (name, sign)
        WHERE sides.name IS NOT NULL ORDER BY sides.name
    LOOP
        UPDATE headgate.quota_pots p SET
            running = p.running + side.sign * used.running,
            executions = CASE WHEN p.day >= _today THEN p.executions ELSE 0 END
                + CASE WHEN used.day >= GREATEST(p.day, _today) THEN side.sign * used.executions ELSE 0 END,
            day = GREATEST(p.day, _today),
            storage_bytes = p.storage_bytes + side.sign * used.storage_bytes
        WHERE p.name = side.name;
    END LOOP;
    UPDATE headgate.workspace_resource_quotas SET pot = _pot WHERE workspace_id = _workspace;
END
$$;
COMMENT ON FUNCTION headgate.move_to_pot IS 'Takes what the workspace uses out of its pot, if it is in one, and puts it into the other, if there is one.';

REVOKE ALL ON FUNCTION headgate.room, headgate.count_use, headgate.keep_bytes, headgate.move_to_pot FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.room, headgate.count_use, headgate.keep_bytes TO headgate_app;
GRANT EXECUTE ON FUNCTION headgate.move_to_pot TO headgate_system;
