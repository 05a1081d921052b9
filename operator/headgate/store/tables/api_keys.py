"""Keys of the HTTP API."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from headgate.store.tables.base import Time, metadata
from headgate.store.tables.tenants import workspaces

api_keys = Table(
    "api_keys",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Time),
    Column("last_used_at", Time),
    Column("revoked_at", Time),
    Column("revoked_by", Text),
    Index("api_keys_unrevoked", "workspace_id", "expires_at", postgresql_where=text("revoked_at IS NULL")),
)
