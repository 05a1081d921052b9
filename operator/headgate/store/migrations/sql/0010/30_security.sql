-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_heads', 'audit_log', 'audit_checkpoints'] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
    END LOOP;
END
$$;
ALTER TABLE headgate.audit_rounds ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON headgate.audit_rounds TO headgate_system USING (true);
GRANT SELECT, INSERT ON headgate.audit_rounds TO headgate_system;

-- Number and hashes are the trigger's alone.
GRANT SELECT, INSERT (workspace_id, at, actor_kind, actor_name, actor_via, action, object, outcome, detail)
    ON headgate.audit_log TO headgate_app;
GRANT SELECT, INSERT, UPDATE (sequence, hash) ON headgate.audit_heads TO headgate_app;
GRANT SELECT ON headgate.audit_checkpoints TO headgate_app;

-- What the operator records of Workspaces themselves, and what it signs. Entries it does not see.
CREATE POLICY system ON headgate.audit_log FOR INSERT TO headgate_system WITH CHECK (true);
GRANT INSERT (workspace_id, at, actor_kind, actor_name, actor_via, action, object, outcome, detail)
    ON headgate.audit_log TO headgate_system;
CREATE POLICY system ON headgate.audit_heads TO headgate_system USING (true);
GRANT SELECT, INSERT, UPDATE (sequence, hash, signed_sequence) ON headgate.audit_heads TO headgate_system;
CREATE POLICY system ON headgate.audit_checkpoints TO headgate_system USING (true);
GRANT SELECT, INSERT ON headgate.audit_checkpoints TO headgate_system;

REVOKE ALL ON FUNCTION headgate.chain_audit_entry(), headgate.refuse_to_change_audit() FROM PUBLIC;
REVOKE ALL ON FUNCTION headgate.audit_part(bytea), headgate.audit_part(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.audit_part(bytea), headgate.audit_part(text) TO headgate_app, headgate_system;
