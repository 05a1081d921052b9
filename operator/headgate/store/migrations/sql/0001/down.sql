DROP FUNCTION headgate.ensure_partitions(timestamptz, integer);
DROP TABLE headgate.tasks, headgate.execution_triggers, headgate.workflow_execution_steps,
    headgate.workflow_executions, headgate.workflow_schedules, headgate.workflow_versions, headgate.workflows,
    headgate.workspace_usage, headgate.workspace_resource_quotas, headgate.workspaces;
REVOKE ALL ON SCHEMA headgate FROM headgate_app, headgate_system;
