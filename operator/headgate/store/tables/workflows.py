"""Workflows, their versions and their schedules."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from headgate.store.tables.base import Time, metadata
from headgate.store.tables.tenants import workspaces

workflows = Table(
    "workflows",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("current_version_id", Uuid, nullable=False),
    Column("suspended", Boolean, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("deleted_at", Time),
    Index(
        "workflows_active_name",
        "workspace_id",
        "namespace",
        "name",
        unique=True,
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

versions = Table(
    "workflow_versions",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("spec", JSONB, nullable=False),
    Column("created_at", Time, nullable=False),
    UniqueConstraint("workspace_id", "workflow_id", "number"),
    UniqueConstraint("workspace_id", "workflow_id", "content_hash"),
    ForeignKeyConstraint(["workspace_id", "workflow_id"], [workflows.c.workspace_id, workflows.c.id]),
)

schedules = Table(
    "workflow_schedules",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("schedule", JSONB, nullable=False),
    Column("next_tick", Time, nullable=False),
    Column("last_tick", Time),
    Column("last_error", Text),
    ForeignKeyConstraint(["workspace_id", "workflow_id"], [workflows.c.workspace_id, workflows.c.id]),
    Index("workflow_schedules_next", "workspace_id", "next_tick"),
)

events = Table(
    "workflow_events",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("phases", ARRAY(Text), nullable=False),
    Column("last_error", Text),
    ForeignKeyConstraint(["workspace_id", "workflow_id"], [workflows.c.workspace_id, workflows.c.id]),
    Index("workflow_events_source", "workspace_id", "namespace", "source"),
)
