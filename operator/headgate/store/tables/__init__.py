"""The tables as SQLAlchemy knows them. The migrations make them; a test holds the two together."""

from __future__ import annotations

from headgate.store.tables.analytics import analytics, deltas, durations, label_costs, nodes, price_tables
from headgate.store.tables.api_keys import api_keys
from headgate.store.tables.archive import archive_parts, archive_rounds
from headgate.store.tables.audit import (
    audit_anchors,
    audit_checkpoints,
    audit_heads,
    audit_log,
    audit_parts,
    audit_rounds,
)
from headgate.store.tables.base import SCHEMA, metadata
from headgate.store.tables.credentials import credentials, data_keys, releases
from headgate.store.tables.history import (
    ended_labels,
    execution_labels,
    execution_steps,
    execution_triggers,
    executions,
    node_memos,
    run_artifacts,
    run_changes,
    run_endings,
    unnoted_artifacts,
)
from headgate.store.tables.rate_limits import loans, pot_rate_limits, rate_limits
from headgate.store.tables.replication import beats
from headgate.store.tables.search import recommendations, run_documents, upkeep_days, workflow_documents
from headgate.store.tables.sync import sync_cursors
from headgate.store.tables.tasks import borrowed_places, pool_logs, tasks, turns
from headgate.store.tables.tenants import breakers, pots, quotas, retention_policies, usage, workspaces
from headgate.store.tables.webhooks import deliveries, refusals, webhooks
from headgate.store.tables.workflows import events, schedules, versions, workflows

__all__ = [
    "SCHEMA",
    "analytics",
    "api_keys",
    "archive_parts",
    "archive_rounds",
    "audit_anchors",
    "audit_checkpoints",
    "audit_heads",
    "audit_log",
    "audit_parts",
    "audit_rounds",
    "beats",
    "borrowed_places",
    "breakers",
    "credentials",
    "data_keys",
    "deliveries",
    "deltas",
    "durations",
    "ended_labels",
    "events",
    "execution_labels",
    "execution_steps",
    "execution_triggers",
    "executions",
    "label_costs",
    "loans",
    "metadata",
    "node_memos",
    "nodes",
    "pool_logs",
    "pot_rate_limits",
    "pots",
    "price_tables",
    "quotas",
    "rate_limits",
    "recommendations",
    "refusals",
    "releases",
    "retention_policies",
    "run_artifacts",
    "run_changes",
    "run_documents",
    "run_endings",
    "schedules",
    "sync_cursors",
    "tasks",
    "turns",
    "unnoted_artifacts",
    "upkeep_days",
    "usage",
    "versions",
    "webhooks",
    "workflow_documents",
    "workflows",
    "workspaces",
]
