"""What the schema holds."""

from __future__ import annotations

TENANT_TABLES = (
    "workspaces",
    "workspace_resource_quotas",
    "workspace_usage",
    "workspace_circuit_breakers",
    "data_retention_policies",
    "workflows",
    "workflow_versions",
    "workflow_schedules",
    "workflow_events",
    "workflow_executions",
    "workflow_execution_steps",
    "execution_labels",
    "run_changes",
    "execution_triggers",
    "tasks",
    "run_endings",
    "node_memos",
    "api_keys",
    "borrowed_places",
    "data_keys",
    "credentials",
    "credential_releases",
    "workspace_rate_limits",
    "rate_limit_loans",
    "workflow_webhooks",
    "webhook_deliveries",
    "webhook_refusals",
    "audit_heads",
    "audit_log",
    "audit_checkpoints",
    "analytics_deltas",
    "workspace_analytics_daily",
    "run_durations_daily",
    "node_analytics_daily",
    "label_costs_daily",
    "archive_parts",
)
"""Every table of workspaces' rows; each after those that it refers to."""
SHARED_TABLES = ("quota_pots", "dispatch_turns", "pot_rate_limits", "audit_rounds", "price_tables", "archive_rounds")
"""Tables of rows that several workspaces share, or that no single one may see."""
