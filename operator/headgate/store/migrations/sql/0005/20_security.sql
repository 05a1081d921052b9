-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['data_keys', 'credentials', 'credential_releases'] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, DELETE, UPDATE (key_encryption_key, wrapped, retired_at) ON headgate.data_keys TO headgate_app;
GRANT SELECT, INSERT, DELETE, UPDATE (kind, version, data_key_id, sealed, updated_by, updated_at)
    ON headgate.credentials TO headgate_app;
GRANT SELECT, INSERT ON headgate.credential_releases TO headgate_app;

-- To find the workspaces whose data keys have to be wrapped anew; the keys themselves it does not see.
CREATE POLICY system ON headgate.data_keys FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id, key_encryption_key) ON headgate.data_keys TO headgate_system;
