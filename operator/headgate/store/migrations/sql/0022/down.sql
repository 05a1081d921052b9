DROP TRIGGER counted ON headgate.sync_cursors;
DROP FUNCTION headgate.count_cursor, headgate.forget_kept, headgate.remember, headgate.storage_left;
DROP INDEX headgate.node_memos_age;
DROP FUNCTION headgate.room(uuid, uuid, timestamptz, bigint, bigint, bigint, boolean, integer, text, uuid[]);

CREATE OR REPLACE FUNCTION headgate.count_use(
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

CREATE OR REPLACE FUNCTION headgate.keep_bytes(_workspace uuid, _bytes bigint) RETURNS boolean LANGUAGE plpgsql AS $$
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

DROP FUNCTION headgate.step_bytes, headgate.json_bytes;
