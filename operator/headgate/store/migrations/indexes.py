"""Indexes on partitioned tables, built beside readers and writers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op
from sqlalchemy import Connection, text

_PARTITIONS = """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = CAST(:parent AS regclass) ORDER BY c.relname
"""
_STATE = """
    SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'headgate'::regnamespace AND c.relname = :name
"""


def add_index(table: str, name: str, definition: str) -> None:
    """Add an index to a partitioned table of the schema. ``definition`` is what follows the table's name.

    ``name`` begins with that of the table. Call it alone in a revision: it is no transaction. What was done stays when
    it is cut off, and repeating it does the rest.
    """
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        # Partitions that are made from here on have it.
        _do(connection, f"CREATE INDEX IF NOT EXISTS {name} ON ONLY headgate.{table} {definition}")
        for partition in connection.scalars(text(_PARTITIONS), {"parent": f"headgate.{table}"}).all():
            own = f"{partition}{name.removeprefix(table)}"
            with _in_no_hurry(connection):
                _build(connection, partition, own, definition)
            _do(connection, f"ALTER INDEX headgate.{name} ATTACH PARTITION headgate.{own}")


def _build(connection: Connection, partition: str, name: str, definition: str) -> None:
    state = connection.scalar(text(_STATE), {"name": name})
    if state is False:
        # Left by one that was cut off.
        _do(connection, f"DROP INDEX CONCURRENTLY headgate.{name}")
    if not state:
        _do(connection, f"CREATE INDEX CONCURRENTLY {name} ON headgate.{partition} {definition}")


@contextmanager
def _in_no_hurry(connection: Connection) -> Iterator[None]:
    """Who builds concurrently waits for transactions that began before, and nobody waits for it meanwhile."""
    hurry = connection.scalar(text("SHOW lock_timeout"))
    _do(connection, "SET lock_timeout = 0")
    try:
        yield
    finally:
        connection.execute(text("SELECT set_config('lock_timeout', :hurry, false)"), {"hurry": hurry})


def _do(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
