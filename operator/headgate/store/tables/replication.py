"""How far standbys have come."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Table, text

from headgate.store.tables.base import metadata

beats = Table(
    "replication_beats",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("number", BigInteger, nullable=False),
)
