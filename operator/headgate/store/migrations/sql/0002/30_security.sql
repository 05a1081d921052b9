-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workspace_circuit_breakers', 'data_retention_policies'] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY system ON headgate.%I TO headgate_system USING (true)', name);
    END LOOP;
END
$$;

-- The pot that the transaction's workspace is in, and no other.
ALTER TABLE headgate.quota_pots ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.quota_pots TO headgate_app USING (name = (
    SELECT q.pot FROM headgate.workspace_resource_quotas q
    WHERE q.workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid
));
CREATE POLICY system ON headgate.quota_pots TO headgate_system USING (true);

GRANT SELECT, UPDATE ON headgate.quota_pots TO headgate_app;
GRANT SELECT, UPDATE ON headgate.workspace_circuit_breakers TO headgate_app;
GRANT SELECT ON headgate.data_retention_policies TO headgate_app;

GRANT SELECT, INSERT, UPDATE ON headgate.quota_pots TO headgate_system;
GRANT SELECT, INSERT, UPDATE ON headgate.workspace_circuit_breakers, headgate.data_retention_policies TO headgate_system;

-- To hold a workspace's row while its counts move to another pot.
CREATE POLICY system_hold ON headgate.workspace_usage FOR UPDATE TO headgate_system USING (true);
GRANT UPDATE (day) ON headgate.workspace_usage TO headgate_system;
