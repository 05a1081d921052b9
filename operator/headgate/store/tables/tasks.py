"""The queue, whose turn it is, and who runs in the place of another."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Computed,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from headgate.store.tables.base import Time, metadata
from headgate.store.tables.tenants import workspaces

NEEDS_SECRETS = """
    work @? '$.http.headers[*].secretKeyRef ? (@ != null)' OR work @? '$.sql.connection ? (@ != null)'
    OR work @? '$.script.env[*].valueFrom.secretKeyRef ? (@ != null)'
    OR work @? '$.connector.**.secretKeyRef ? (@ != null)'
"""
"""Whether an attempt's node names Secrets, which only the pod of a runner of its run's own is given."""

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
    Column("waiting_since", Time),
    Column("kind", Text, nullable=False, server_default="job"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("stopping", Boolean, nullable=False, server_default="false"),
    Column("first_attempt", Integer, nullable=False, server_default="1"),
    Index("tasks_approvals", "workspace_id", "due_at", postgresql_where=text("kind = 'approval'")),
    Column("expires_at", Time),
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("needs_secrets", Boolean, Computed(NEEDS_SECRETS, persisted=True)),
    Index("tasks_runner", "workspace_id", "execution_id", postgresql_where=text("kind = 'runner'")),
    Index(
        "tasks_due",
        "workspace_id",
        "kind",
        text("priority DESC"),
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "tasks_unscheduled",
        "workspace_id",
        "waiting_since",
        postgresql_where=text("waiting_reason = 'Unschedulable' AND job_uid IS NOT NULL"),
    ),
    Index("tasks_stopping", "workspace_id", postgresql_where=text("stopping AND kind = 'job'")),
    Index("tasks_calls", "workspace_id", "due_at", postgresql_where=text("kind = 'call' AND due_at IS NOT NULL")),
)

pool_logs = Table(
    "pool_logs",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("execution_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Column("printed_at", Time, nullable=False),
    Index("pool_logs_printed", "printed_at"),
)

borrowed_places = Table(
    "borrowed_places",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("run_id", Uuid, primary_key=True),
    Column("lender", Uuid, nullable=False),
    UniqueConstraint("workspace_id", "lender"),
)

turns = Table(
    "dispatch_turns",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("last_turn", Double, nullable=False),
    Column("next_turn", Double, nullable=False),
)
