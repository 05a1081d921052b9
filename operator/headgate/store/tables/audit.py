"""The audit log, what was signed of it, and what has left it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Index, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSON, JSONB

from headgate.store.tables.base import Time, metadata
from headgate.store.tables.tenants import workspaces

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("signed_sequence", BigInteger, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("at", Time, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_via", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

audit_rounds = Table(
    "audit_rounds",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("at", Time, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("signing_key", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("at", Time, nullable=False),
    Column("round", BigInteger, nullable=False),
    Column("signing_key", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Index("audit_checkpoints_round", "round", "workspace_id"),
)

audit_parts = Table(
    "audit_parts",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("month", Date, nullable=False),
    Column("state", Text, nullable=False),
    Column("entries_before", Time, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("verified_at", Time),
    Column("first_sequence", BigInteger),
    Column("last_sequence", BigInteger),
    Column("hash", LargeBinary),
    Column("first_at", Time),
    Column("last_at", Time),
    Column("files", JSONB),
)
Index(
    "audit_parts_writing",
    audit_parts.c.workspace_id,
    unique=True,
    postgresql_where=text("state = 'Writing'"),
)
Index("audit_parts_entries", audit_parts.c.workspace_id, audit_parts.c.first_sequence, unique=True)

audit_anchors = Table(
    "audit_anchors",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("cut", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("at", Time, nullable=False),
    Column("signing_key", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
