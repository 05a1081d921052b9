-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_parts', 'audit_anchors'] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
    END LOOP;
END
$$;
GRANT SELECT, DELETE, INSERT (workspace_id, id, month, state, entries_before, created_at),
    UPDATE (state, verified_at, first_sequence, last_sequence, hash, first_at, last_at, files)
    ON headgate.audit_parts TO headgate_app;
GRANT SELECT, INSERT ON headgate.audit_anchors TO headgate_app;

-- The owner goes on seeing nothing, but for the function by which entries leave the log.
CREATE POLICY removal ON headgate.audit_parts TO headgate_owner USING (
    (SELECT current_setting('headgate.removing', true)) = 'part'
    AND workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
CREATE POLICY removal ON headgate.audit_anchors FOR SELECT TO headgate_owner USING (
    (SELECT current_setting('headgate.removing', true)) = 'part'
    AND workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
