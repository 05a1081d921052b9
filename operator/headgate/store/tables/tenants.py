"""Workspaces, what they may use, and what they use right now."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, Table, Text, Uuid, text

from headgate.store.tables.base import Time, metadata

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("suspended", Boolean, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("deleted_at", Time),
    Index("workspaces_active_name", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

quotas = Table(
    "workspace_resource_quotas",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("max_workflows", Integer, nullable=False),
    Column("max_executions_per_day", Integer, nullable=False),
    Column("max_storage_mb", Integer, nullable=False),
    Column("max_api_calls_per_hour", Integer, nullable=False),
    Column("max_concurrent_runs", Integer, nullable=False),
)

usage = Table(
    "workspace_usage",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("running", Integer, nullable=False),
    Column("queued", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("executions", Integer, nullable=False),
)
