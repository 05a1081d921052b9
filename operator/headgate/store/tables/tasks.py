"""The queue."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from headgate.store.tables.base import Time, metadata

tasks = Table(
    "tasks",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("execution_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("work", JSONB, nullable=False),
    Column("timeout_seconds", Integer, nullable=False),
    Column("due_at", Time),
    Column("holder", Text),
    Column("job_uid", Text),
    Column("waiting_reason", Text),
    Column("waiting_message", Text),
    Column("waiting_until", Time),
    Column("kind", Text, nullable=False, server_default="job"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("expires_at", Time),
    Column("losses", Integer, nullable=False, server_default="0"),
    Index("tasks_runner", "workspace_id", "execution_id", postgresql_where=text("kind = 'runner'")),
    Index(
        "tasks_due",
        "workspace_id",
        "kind",
        text("priority DESC"),
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)
