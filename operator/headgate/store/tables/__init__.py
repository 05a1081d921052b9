"""The tables as SQLAlchemy knows them. The migrations make them; a test holds the two together."""

from __future__ import annotations

from headgate.store.tables.base import SCHEMA, metadata
from headgate.store.tables.history import execution_steps, execution_triggers, executions
from headgate.store.tables.tasks import tasks
from headgate.store.tables.tenants import quotas, usage, workspaces
from headgate.store.tables.workflows import schedules, versions, workflows

__all__ = [
    "SCHEMA",
    "execution_steps",
    "execution_triggers",
    "executions",
    "metadata",
    "quotas",
    "schedules",
    "tasks",
    "usage",
    "versions",
    "workflows",
    "workspaces",
]
