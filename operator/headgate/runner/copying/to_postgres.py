"""Rows of a table, each in place of the one that has its key."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from headgate.api.sync import PostgresTarget
from headgate.runner.copying.batches import INVALID, Batch, parsed
from headgate.runner.copying.from_postgres import table
from headgate.runner.errors import NodeFailed
from headgate.runner.sql import failing

_COLUMNS = """
    SELECT a.attname, a.attidentity = 'a' FROM pg_attribute a
    WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
"""


class PostgresTable:
    """A target. A batch is one statement: all of it, or nothing."""

    by_range = False

    def __init__(self, node: PostgresTarget, connection: psycopg.AsyncConnection[Any]) -> None:
        """``connection`` commits each statement."""
        self._node = node
        self._connection = connection
        self._columns: dict[str, bool] | None = None

    async def write(self, batch: Batch, after: str | None) -> None:
        """As ``Target`` has it. Of several records of one key the last one counts."""
        newest: dict[tuple[str, ...], str] = {}
        members = set[str]()
        for record in batch.records:
            found = parsed(record)
            key = tuple(repr(found.get(name)) for name in self._node.key)
            if missing := [name for name in self._node.key if found.get(name) is None]:
                raise NodeFailed(INVALID, f"a record has no {missing[0]}, which is in the target's key")
            members |= found.keys()
            newest.pop(key, None)
            newest[key] = record
        with failing():
            known = await self._known()
            columns = [name for name in known if name in members]
            replaced = [name for name in columns if name not in self._node.key and not known[name]]
            records = f"[{','.join(newest.values())}]"
            async with self._connection.cursor() as cursor:
                await cursor.execute(self._statement(columns, replaced), (records,))

    async def _known(self) -> dict[str, bool]:
        """The table's columns, and of which no value can be replaced."""
        if self._columns is None:
            async with self._connection.cursor() as cursor:
                await cursor.execute(_COLUMNS, (table(self._node.table).as_string(self._connection),))
                self._columns = dict(await cursor.fetchall())
            if absent := [name for name in self._node.key if name not in self._columns]:
                raise NodeFailed("SqlError", f"the table {self._node.table} is not there, or has no column {absent[0]}")
        return self._columns

    def _statement(self, columns: list[str], replaced: list[str]) -> sql.Composed:
        name = table(self._node.table)
        then = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in replaced)
        return sql.SQL(
            "INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE"
            " SELECT {values} FROM json_populate_recordset(NULL::{name}, {records}::json) r"
            " ON CONFLICT ({key}) {then}"
        ).format(
            name=name,
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            values=sql.SQL(", ").join(sql.SQL("r.{}").format(sql.Identifier(column)) for column in columns),
            records=sql.Placeholder(),
            key=sql.SQL(", ").join(map(sql.Identifier, self._node.key)),
            then=sql.SQL("DO UPDATE SET {}").format(then) if replaced else sql.SQL("DO NOTHING"),
        )
