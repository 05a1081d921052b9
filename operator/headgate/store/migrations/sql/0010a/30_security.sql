-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['analytics_deltas', 'workspace_analytics_daily', 'run_durations_daily',
        'node_analytics_daily', 'label_costs_daily'] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY system ON headgate.%I TO headgate_system USING (true)', name);
    END LOOP;
END
$$;
GRANT SELECT, INSERT ON headgate.analytics_deltas TO headgate_app;
GRANT SELECT ON headgate.workspace_analytics_daily, headgate.run_durations_daily, headgate.node_analytics_daily,
    headgate.label_costs_daily TO headgate_app;

-- It adds up the days of all workspaces at once.
GRANT SELECT, DELETE ON headgate.analytics_deltas TO headgate_system;
GRANT SELECT, INSERT, UPDATE ON headgate.workspace_analytics_daily, headgate.run_durations_daily,
    headgate.node_analytics_daily, headgate.label_costs_daily TO headgate_system;

-- Prices are the platform's, and the same for all.
ALTER TABLE headgate.price_tables ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.price_tables FOR SELECT TO headgate_app USING (true);
CREATE POLICY system ON headgate.price_tables TO headgate_system USING (true);
GRANT SELECT ON headgate.price_tables TO headgate_app;
GRANT SELECT, INSERT ON headgate.price_tables TO headgate_system;
