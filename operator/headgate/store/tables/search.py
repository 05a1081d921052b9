"""Words by which things are found."""

from __future__ import annotations

from sqlalchemy import Column, Date, Index, Table, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import TSVECTOR

from headgate.store.tables.base import Time, metadata

_AT_ONCE = {"fastupdate": "off"}

workflow_documents = Table(
    "workflow_documents",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, primary_key=True),
    Column("document", TSVECTOR, nullable=False),
    Index("workflow_documents_words", "document", postgresql_using="gin", postgresql_with=_AT_ONCE),
)

run_documents = Table(
    "run_documents",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("started_at", Time, primary_key=True),
    Column("execution_id", Uuid, primary_key=True),
    Column("document", TSVECTOR, nullable=False),
    Index("run_documents_words", "document", postgresql_using="gin", postgresql_with=_AT_ONCE),
    postgresql_partition_by="RANGE (started_at)",
)

recommendations = Table(
    "recommendations",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("workflow_id", Uuid, nullable=False),
    Column("node", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("made_at", Time, nullable=False),
    Column("document", TSVECTOR, nullable=False),
    UniqueConstraint("workspace_id", "workflow_id", "node", "rule"),
    Index("recommendations_words", "document", postgresql_using="gin", postgresql_with=_AT_ONCE),
)

upkeep_days = Table(
    "upkeep_days",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("day", Date, nullable=False),
    Column("labels_from", Uuid),
    Column("workflows_from", Uuid),
)
