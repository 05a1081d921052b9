"""Webhooks, what they delivered, and how much of it nobody had signed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from headgate.store.tables.base import Time, metadata
from headgate.store.tables.tenants import workspaces
from headgate.store.tables.workflows import workflows

webhooks = Table(
    "workflow_webhooks",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("hook", Text, nullable=False),
    Column("credentials", ARRAY(Text), nullable=False),
    Column("config", JSONB, nullable=False),
    ForeignKeyConstraint(["workspace_id", "workflow_id"], [workflows.c.workspace_id, workflows.c.id]),
    Index("workflow_webhooks_hook", "workspace_id", "hook"),
)

deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("hook", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("received_at", Time, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("redelivery_of", Uuid),
    Column("requested_by", Text),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("results", JSONB, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body_bytes", Integer, nullable=False),
    Column("data_key_id", Uuid),
    Column("sealed", LargeBinary),
    Index(
        "webhook_deliveries_message",
        "workspace_id",
        "hook",
        "format",
        "message_id",
        unique=True,
        postgresql_where=text("redelivery_of IS NULL"),
    ),
    Index("webhook_deliveries_hook", "workspace_id", "hook", "id"),
    Index(
        "webhook_deliveries_data_key",
        "workspace_id",
        "data_key_id",
        postgresql_where=text("data_key_id IS NOT NULL"),
    ),
)

refusals = Table(
    "webhook_refusals",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("hook", Text, primary_key=True),
    Column("total", BigInteger, nullable=False),
    Column("last_at", Time, nullable=False),
)
