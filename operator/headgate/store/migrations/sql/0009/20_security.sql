-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workflow_webhooks', 'webhook_deliveries', 'webhook_refusals'] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON headgate.workflow_webhooks TO headgate_app;
GRANT SELECT, INSERT, DELETE, UPDATE (event, attempts, reason, message, results, headers, body_bytes, data_key_id, sealed)
    ON headgate.webhook_deliveries TO headgate_app;
GRANT SELECT, INSERT, DELETE, UPDATE (total, last_at) ON headgate.webhook_refusals TO headgate_app;

-- To find the workspaces whose deliveries are older than they are to be kept; what was delivered it does not see.
CREATE POLICY system ON headgate.webhook_deliveries FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id, id) ON headgate.webhook_deliveries TO headgate_system;
