-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['run_endings', 'node_memos', 'workflow_events', 'borrowed_places'] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON headgate.run_endings, headgate.node_memos,
    headgate.workflow_events, headgate.borrowed_places TO headgate_app;

CREATE POLICY system ON headgate.run_endings FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id, run_id, due_at) ON headgate.run_endings TO headgate_system;
CREATE POLICY system ON headgate.borrowed_places FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id) ON headgate.borrowed_places TO headgate_system;
