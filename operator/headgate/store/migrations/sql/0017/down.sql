LOCK TABLE headgate.audit_log IN ACCESS EXCLUSIVE MODE;
DROP POLICY removal ON headgate.audit_log;
DROP POLICY removal_read ON headgate.audit_log;
DROP TRIGGER anchored ON headgate.audit_log;
-- As 0010 has it.
CREATE OR REPLACE FUNCTION headgate.refuse_to_change_audit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'headgate.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
DROP FUNCTION headgate.remove_archived_audit, headgate.refuse_beyond_anchor;
DROP TABLE headgate.audit_anchors, headgate.audit_parts;
