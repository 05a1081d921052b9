-- What a workspace keeps is counted as Postgres writes it out, so that a query over the rows gives what is counted.

CREATE FUNCTION headgate.json_bytes(_value jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN _value IS NULL OR _value = '{}' THEN 0 ELSE octet_length(_value::text) END::bigint
$$;
COMMENT ON FUNCTION headgate.json_bytes IS 'What a value takes of the workspace''s storage: bytes of UTF-8 as Postgres writes it; nothing takes nothing.';

-- STABLE: it sees the rows as they were before the statement that writes them.
CREATE FUNCTION headgate.step_bytes(_workspace uuid, _started_at timestamptz, _run uuid, _steps jsonb)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT sum(headgate.json_bytes(s.output) - coalesce((
            SELECT headgate.json_bytes(o.output) FROM headgate.workflow_execution_steps o
            WHERE o.workspace_id = _workspace AND o.started_at = _started_at AND o.execution_id = _run
                AND o.node = s.node AND o.attempt = s.attempt
        ), 0))
        FROM jsonb_to_recordset(_steps) AS s (node text, attempt integer, output jsonb)
    ), 0);
END
$$;
COMMENT ON FUNCTION headgate.step_bytes IS 'How much more the outputs of a run''s attempts take when _steps are written over those that are there.';

CREATE FUNCTION headgate.storage_left(_workspace uuid, OUT bytes bigint, OUT max_mb integer, OUT pot text)
LANGUAGE sql STABLE AS $$
    SELECT q.max_storage_mb::bigint * 1000000 - coalesce(p.storage_bytes, u.storage_bytes), q.max_storage_mb, q.pot
    FROM headgate.workspace_resource_quotas q JOIN headgate.workspace_usage u ON u.workspace_id = q.workspace_id
    LEFT JOIN headgate.quota_pots p ON p.name = q.pot
    WHERE q.workspace_id = _workspace
$$;
COMMENT ON FUNCTION headgate.storage_left IS 'How many bytes the workspace may keep further, less than nothing where it keeps too much, and of how many megabytes, in which pot.';

-- As 0002 has it, but that nothing is less than nothing: what was never counted is given back as well.
CREATE OR REPLACE FUNCTION headgate.count_use(
    _workspace uuid, _today date, _running integer, _queued integer, _executions integer, _bytes bigint, _probe integer
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    waiting integer;
BEGIN
    IF _bytes < 0 THEN
        SELECT GREATEST(_bytes, -storage_bytes) INTO STRICT _bytes
        FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    END IF;
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
        storage_bytes = GREATEST(p.storage_bytes + _bytes, 0)
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

-- As 0002 has it, but that what becomes less always fits, however much there is.
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

REVOKE ALL ON FUNCTION headgate.json_bytes, headgate.step_bytes, headgate.storage_left FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.json_bytes, headgate.step_bytes, headgate.storage_left TO headgate_app;
