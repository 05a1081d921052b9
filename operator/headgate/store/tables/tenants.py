"""Workspaces, what they may use, and what they use right now."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Interval,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)

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
    Column("on_exceeded", Text, nullable=False, server_default="Queue"),
    Column("weight", Integer, nullable=False, server_default="1"),
    Column("pot", Text),
    Column("budget", Numeric),
    Column("budget_stops", Boolean, nullable=False, server_default="false"),
    Index("workspace_resource_quotas_pot", "pot", postgresql_where=text("pot IS NOT NULL")),
)

usage = Table(
    "workspace_usage",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("running", Integer, nullable=False),
    Column("queued", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("executions", Integer, nullable=False),
    Column("storage_bytes", BigInteger, nullable=False, server_default="0"),
    Column("month", Date, nullable=False, server_default=text("'2000-01-01'::date")),
    Column("spent", Numeric, nullable=False, server_default="0"),
)

pots = Table(
    "quota_pots",
    metadata,
    Column("name", Text, primary_key=True),
    Column("running", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("executions", Integer, nullable=False),
    Column("storage_bytes", BigInteger, nullable=False),
)

breakers = Table(
    "workspace_circuit_breakers",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("failure_threshold", Integer, nullable=False, server_default="50"),
    Column("failure_window", Interval, nullable=False, server_default=text("'00:05:00'::interval")),
    Column("cool_down", Interval, nullable=False, server_default=text("'00:05:00'::interval")),
    Column("half_open_runs", Integer, nullable=False, server_default="3"),
    Column("state", Text, nullable=False, server_default="Closed"),
    Column("failures", ARRAY(Time), nullable=False, server_default=text("'{}'::timestamp with time zone[]")),
    Column("opened_at", Time),
    Column("retry_at", Time),
    Column("episode", Integer, nullable=False, server_default="0"),
    Column("probes", Integer, nullable=False, server_default="0"),
    Column("passed", Integer, nullable=False, server_default="0"),
    Column("reset", Text),
)

retention_policies = Table(
    "data_retention_policies",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("execution_logs_days", Integer, nullable=False, server_default="90"),
    Column("audit_logs_days", Integer, nullable=False, server_default="365"),
    Column("webhook_logs_days", Integer, nullable=False, server_default="30"),
    Column("compliance_logs_days", Integer, nullable=False, server_default="2555"),
    Column("legal_hold", Boolean, nullable=False, server_default="false"),
)
