-- How entries leave the log: only from its beginning, and never beyond an anchor. Running programs have no DELETE on it.

-- As 0010 has it, but for the one way on which entries go; what goes there is looked at below.
CREATE OR REPLACE FUNCTION headgate.refuse_to_change_audit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_log' AND current_setting('headgate.removing', true) = 'part' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'headgate.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Whoever it is that deletes, superusers too, and however they do it.
CREATE FUNCTION headgate.refuse_beyond_anchor() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT g.workspace_id, max(g.sequence) AS sequence FROM gone g GROUP BY g.workspace_id) l
        WHERE NOT EXISTS (
            SELECT FROM headgate.audit_anchors a
            WHERE a.workspace_id = l.workspace_id AND a.cut = 'Moved' AND a.sequence >= l.sequence
        )
    ) THEN
        RAISE EXCEPTION 'headgate.audit_log is append-only beyond its anchor' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION headgate.remove_archived_audit(_part uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    workspace uuid := NULLIF(current_setting('app.workspace_id', true), '')::uuid;
    part      headgate.audit_parts;
    removed   bigint;
BEGIN
    PERFORM set_config('headgate.removing', 'part', true);
    SELECT * INTO part FROM headgate.audit_parts p
    WHERE p.workspace_id = workspace AND p.id = _part AND p.state = 'Verified' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no verified part %', _part USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF (SELECT r.legal_hold FROM headgate.data_retention_policies r WHERE r.workspace_id = workspace) THEN
        RAISE EXCEPTION 'the workspace is under legal hold' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (
        SELECT FROM headgate.audit_anchors a
        JOIN headgate.audit_log l ON l.workspace_id = a.workspace_id AND l.sequence = a.sequence AND l.hash = a.hash
        WHERE a.workspace_id = workspace AND a.cut = 'Moved' AND a.sequence = part.last_sequence AND a.hash = part.hash
    ) THEN
        RAISE EXCEPTION 'there is no anchor at the end of part %', _part USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (
        SELECT FROM headgate.audit_log l WHERE l.workspace_id = workspace AND l.sequence < part.first_sequence
    ) THEN
        RAISE EXCEPTION 'part % is not the beginning of the log', _part USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM headgate.audit_log l
    WHERE l.workspace_id = workspace AND l.sequence BETWEEN part.first_sequence AND part.last_sequence;
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed <> part.last_sequence - part.first_sequence + 1 THEN
        RAISE EXCEPTION 'entries of part % are missing', _part USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('headgate.removing', '', true);
    RETURN removed;
END
$$;
COMMENT ON FUNCTION headgate.remove_archived_audit IS 'Deletes the entries of a verified part of the transaction''s workspace, which are the oldest and end at an anchor: all of them, or none. Returns how many.';

REVOKE ALL ON FUNCTION headgate.refuse_beyond_anchor, headgate.remove_archived_audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.remove_archived_audit TO headgate_app;
