"""Alembic's entry point: runs migrations on the connection that ``headgate.store.migrate`` hands over."""

from __future__ import annotations

from alembic import context

from headgate.store.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
