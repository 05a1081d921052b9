"""Credentials, the keys that they lie under, and who was given them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Integer, LargeBinary, Table, Text, Uuid, text

from headgate.store.tables.base import Time, metadata
from headgate.store.tables.tenants import workspaces

data_keys = Table(
    "data_keys",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("key_encryption_key", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("retired_at", Time),
    Index("data_keys_current", "workspace_id", unique=True, postgresql_where=text("retired_at IS NULL")),
)

credentials = Table(
    "credentials",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("data_key_id", Uuid, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_by", Text, nullable=False),
    Column("updated_at", Time, nullable=False),
    ForeignKeyConstraint(["workspace_id", "data_key_id"], [data_keys.c.workspace_id, data_keys.c.id]),
    Index("credentials_data_key", "workspace_id", "data_key_id"),
)

releases = Table(
    "credential_releases",
    metadata,
    Column("workspace_id", Uuid, ForeignKey(workspaces.c.id), primary_key=True),
    Column("execution_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("credential", Text, nullable=False),
    Column("credential_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("runner", Text, nullable=False),
    Column("released_at", Time, nullable=False),
    Index("credential_releases_credential", "workspace_id", "credential", "id"),
)
