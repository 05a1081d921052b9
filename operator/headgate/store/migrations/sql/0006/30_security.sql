-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workspace_rate_limits', 'rate_limit_loans'] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
    END LOOP;
END
$$;

-- The pot that the transaction's workspace is in, and no other.
ALTER TABLE headgate.pot_rate_limits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.pot_rate_limits TO headgate_app USING (pot = (
    SELECT q.pot FROM headgate.workspace_resource_quotas q
    WHERE q.workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid
));
CREATE POLICY system ON headgate.pot_rate_limits TO headgate_system USING (true);
CREATE POLICY system ON headgate.workspace_rate_limits TO headgate_system USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE
    ON headgate.workspace_rate_limits, headgate.rate_limit_loans, headgate.pot_rate_limits TO headgate_app;
-- To tell replicas that nobody calls which loans are being given back.
CREATE POLICY system ON headgate.rate_limit_loans FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id, subject, window_start, spent) ON headgate.rate_limit_loans TO headgate_system;

-- To move what a workspace used this hour from pot to pot, and to tell what all use.
GRANT SELECT, INSERT, UPDATE, DELETE ON headgate.workspace_rate_limits, headgate.pot_rate_limits TO headgate_system;
