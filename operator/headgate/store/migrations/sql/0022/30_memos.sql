-- What is kept beside runs: remembered outputs, and how far copies have come. Both go with their workflow.

CREATE INDEX node_memos_age ON headgate.node_memos (workspace_id, workflow_id, node, created_at);

CREATE FUNCTION headgate.remember(
    _workspace uuid, _workflow uuid, _node text, _key text, _output jsonb, _now timestamptz, _since timestamptz
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    freed bigint;
    taken bigint;
BEGIN
    -- Whoever remembers, or forgets, holds this first, and looks at the rest afterwards.
    PERFORM FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    WITH gone AS (
        DELETE FROM headgate.node_memos
        WHERE workspace_id = _workspace AND workflow_id = _workflow AND node = _node
            AND (created_at < _since OR key = _key)
        RETURNING headgate.json_bytes(output) AS bytes
    )
    SELECT coalesce(sum(bytes), 0) INTO freed FROM gone;
    taken := headgate.json_bytes(_output);
    IF NOT EXISTS (
        SELECT FROM headgate.workflows WHERE workspace_id = _workspace AND id = _workflow AND deleted_at IS NULL
    ) OR NOT headgate.keep_bytes(_workspace, taken - freed) THEN
        PERFORM headgate.keep_bytes(_workspace, -freed);
        RETURN false;
    END IF;
    INSERT INTO headgate.node_memos (workspace_id, workflow_id, node, key, output, created_at)
    VALUES (_workspace, _workflow, _node, _key, _output, _now);
    RETURN true;
END
$$;
COMMENT ON FUNCTION headgate.remember IS 'Remembers an output, where there is room for it, and forgets what the node''s runs would not take any more. Whether it did.';

CREATE FUNCTION headgate.forget_kept(_workspace uuid, _workflow uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    freed bigint;
BEGIN
    DELETE FROM headgate.sync_cursors
    WHERE workspace_id = _workspace AND (_workflow IS NULL OR workflow_id = _workflow);
    PERFORM FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    WITH gone AS (
        DELETE FROM headgate.node_memos
        WHERE workspace_id = _workspace AND (_workflow IS NULL OR workflow_id = _workflow)
        RETURNING headgate.json_bytes(output) AS bytes
    )
    SELECT coalesce(sum(bytes), 0) INTO freed FROM gone;
    PERFORM headgate.keep_bytes(_workspace, -freed);
END
$$;
COMMENT ON FUNCTION headgate.forget_kept IS 'Deletes the cursors and the remembered outputs of a workflow, of all of them where it is NULL.';

-- A cursor is counted whatever the limit is: it is small, and a copy that cannot note how far it came copies twice.
CREATE FUNCTION headgate.count_cursor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    more bigint := 0;
BEGIN
    IF TG_OP <> 'DELETE' THEN
        more := coalesce(octet_length(NEW.reached), 0) + coalesce(octet_length(NEW.pending), 0);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        more := more - coalesce(octet_length(OLD.reached), 0) - coalesce(octet_length(OLD.pending), 0);
    END IF;
    IF more <> 0 THEN
        PERFORM headgate.count_use(
            CASE TG_OP WHEN 'DELETE' THEN OLD.workspace_id ELSE NEW.workspace_id END,
            (CASE TG_OP WHEN 'DELETE' THEN OLD.updated_at ELSE NEW.updated_at END AT TIME ZONE 'UTC')::date,
            0, 0, 0, more, NULL);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION headgate.count_cursor IS 'Counts the bytes of where a copy stands. Cursors are locked before what the workspace uses, everywhere.';
CREATE TRIGGER counted AFTER INSERT OR UPDATE OR DELETE ON headgate.sync_cursors
    FOR EACH ROW EXECUTE FUNCTION headgate.count_cursor();

REVOKE ALL ON FUNCTION headgate.remember, headgate.forget_kept, headgate.count_cursor FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.remember, headgate.forget_kept TO headgate_app;
