"""Calls of the HTTP API."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Integer, Table, Text, Uuid, text

from headgate.store.tables.base import SCHEMA, Time, metadata
from headgate.store.tables.tenants import workspaces

rate_limits = Table(
    "workspace_rate_limits",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("window_start", Time, primary_key=True),
    Column("used", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
)

loans = Table(
    "rate_limit_loans",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("window_start", Time, primary_key=True),
    Column("replica", Uuid, primary_key=True),
    Column("lent", Integer, nullable=False),
    Column("spent", Integer),
    ForeignKeyConstraint(
        ["workspace_id", "subject", "window_start"],
        [f"{SCHEMA}.workspace_rate_limits.{name}" for name in ("workspace_id", "subject", "window_start")],
        ondelete="CASCADE",
    ),
    Index(
        "rate_limit_loans_settling",
        "workspace_id",
        "subject",
        "window_start",
        postgresql_where=text("spent IS NOT NULL"),
    ),
)

pot_rate_limits = Table(
    "pot_rate_limits",
    metadata,
    Column("pot", Text, primary_key=True),
    Column("window_start", Time, primary_key=True),
    Column("used", Integer, nullable=False),
)
