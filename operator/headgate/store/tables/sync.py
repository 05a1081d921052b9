"""How far copies have come."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Integer, Table, Text, Uuid

from headgate.store.tables.base import Time, metadata
from headgate.store.tables.workflows import workflows

sync_cursors = Table(
    "sync_cursors",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("reached", Text),
    Column("pending", Text),
    Column("batches", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("run_id", Uuid, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("updated_at", Time, nullable=False),
    ForeignKeyConstraint(["workspace_id", "workflow_id"], [workflows.c.workspace_id, workflows.c.id]),
)
