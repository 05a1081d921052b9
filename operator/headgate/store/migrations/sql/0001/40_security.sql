-- Every table has row-level security, forced on its owner too, and is denied to everybody by default.
--
-- headgate_app sees the rows of the workspace that the transaction names, and none when it names none.
-- headgate_system sees what crosses workspaces, by policies and columns listed here, and bypasses nothing.

GRANT USAGE ON SCHEMA headgate TO headgate_app, headgate_system;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'workspaces', 'workspace_resource_quotas', 'workspace_usage', 'workflows', 'workflow_versions',
        'workflow_schedules', 'workflow_executions', 'workflow_execution_steps', 'execution_triggers', 'tasks'
    ] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (%I = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)',
            name, CASE name WHEN 'workspaces' THEN 'id' ELSE 'workspace_id' END);
    END LOOP;
END
$$;

GRANT SELECT ON headgate.workspaces, headgate.workspace_resource_quotas TO headgate_app;
GRANT SELECT, UPDATE ON headgate.workspace_usage TO headgate_app;
GRANT SELECT, INSERT, UPDATE ON headgate.workflows TO headgate_app;
GRANT SELECT, INSERT ON headgate.workflow_versions, headgate.execution_triggers TO headgate_app;
GRANT SELECT, INSERT, UPDATE ON headgate.workflow_executions, headgate.workflow_execution_steps TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON headgate.workflow_schedules, headgate.tasks TO headgate_app;

CREATE POLICY system ON headgate.workspaces TO headgate_system USING (true);
GRANT SELECT, INSERT, UPDATE ON headgate.workspaces TO headgate_system;

CREATE POLICY system ON headgate.workspace_resource_quotas TO headgate_system USING (true);
GRANT SELECT, INSERT, UPDATE ON headgate.workspace_resource_quotas TO headgate_system;

CREATE POLICY system_read ON headgate.workspace_usage FOR SELECT TO headgate_system USING (true);
CREATE POLICY system_add ON headgate.workspace_usage FOR INSERT TO headgate_system WITH CHECK (true);
GRANT SELECT, INSERT ON headgate.workspace_usage TO headgate_system;

CREATE POLICY system ON headgate.workflows FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id, id, suspended) ON headgate.workflows TO headgate_system;

CREATE POLICY system ON headgate.workflow_schedules FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id, workflow_id, node, next_tick) ON headgate.workflow_schedules TO headgate_system;

CREATE POLICY system ON headgate.workflow_executions FOR SELECT TO headgate_system
    USING (status IN ('Pending', 'Running', 'Suspended'));
GRANT SELECT (workspace_id, id, started_at, status, trigger_key, resource, deadline)
    ON headgate.workflow_executions TO headgate_system;

CREATE POLICY system_read ON headgate.tasks FOR SELECT TO headgate_system USING (true);
CREATE POLICY system_claim ON headgate.tasks FOR UPDATE TO headgate_system USING (true);
GRANT SELECT, UPDATE (due_at, holder, job_uid) ON headgate.tasks TO headgate_system;
