"""Runs that lie in the object store."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from headgate.store.tables.base import Time, metadata
from headgate.store.tables.tenants import workspaces

archive_parts = Table(
    "archive_parts",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("month", Date, nullable=False),
    Column("state", Text, nullable=False),
    Column("ended_before", Time, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("verified_at", Time),
    Column("first_run", Uuid),
    Column("last_run", Uuid),
    Column("runs", Integer),
    Column("steps", Integer),
    Column("stored_bytes", BigInteger),
    Column("log_bytes", BigInteger),
    Column("files", JSONB),
)
Index(
    "archive_parts_writing",
    archive_parts.c.workspace_id,
    unique=True,
    postgresql_where=text("state = 'Writing'"),
)
Index(
    "archive_parts_runs",
    archive_parts.c.workspace_id,
    archive_parts.c.last_run,
    postgresql_include=["first_run", "state"],
)
Index("archive_parts_month", archive_parts.c.workspace_id, archive_parts.c.month, archive_parts.c.state)

archive_rounds = Table(
    "archive_rounds",
    metadata,
    Column("due_at", Time, primary_key=True),
    Column("finished_at", Time, nullable=False),
)
