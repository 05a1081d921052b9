"""What the schema holds."""

from __future__ import annotations

TENANT_TABLES = (
    "workspaces",
    "workspace_resource_quotas",
    "workspace_usage",
    "workflows",
    "workflow_versions",
    "workflow_schedules",
    "workflow_executions",
    "workflow_execution_steps",
    "execution_triggers",
    "tasks",
)
"""Every table but Alembic's; each after those that it refers to."""
