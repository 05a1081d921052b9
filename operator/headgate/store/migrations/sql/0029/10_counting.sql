-- As 0022 has it, but that it counts first, which locks the row, and takes back what does not fit: that is seldom, and two
-- statements do for what fits where it took four.
CREATE OR REPLACE FUNCTION headgate.keep_bytes(_workspace uuid, _bytes bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    stored bigint;
    most   bigint;
    shared text;
BEGIN
    IF _bytes = 0 THEN
        RETURN true;
    END IF;
    IF _bytes < 0 THEN
        SELECT GREATEST(_bytes, -storage_bytes) INTO STRICT _bytes
        FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    END IF;
    UPDATE headgate.workspace_usage SET storage_bytes = storage_bytes + _bytes WHERE workspace_id = _workspace
    RETURNING storage_bytes INTO STRICT stored;
    SELECT max_storage_mb::bigint * 1000000, pot INTO STRICT most, shared
    FROM headgate.workspace_resource_quotas WHERE workspace_id = _workspace;
    IF shared IS NOT NULL THEN
        UPDATE headgate.quota_pots SET storage_bytes = GREATEST(storage_bytes + _bytes, 0) WHERE name = shared
        RETURNING storage_bytes INTO STRICT stored;
    END IF;
    IF _bytes > 0 AND stored > most THEN
        UPDATE headgate.workspace_usage SET storage_bytes = storage_bytes - _bytes WHERE workspace_id = _workspace;
        UPDATE headgate.quota_pots SET storage_bytes = storage_bytes - _bytes WHERE name = shared;
        RETURN false;
    END IF;
    RETURN true;
END
$$;
