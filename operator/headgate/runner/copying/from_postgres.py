"""Rows of a table, page by page of its cursor's columns."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import psycopg
from psycopg import sql

from headgate.api.sync import PostgresSource
from headgate.domain.durations import parse_duration
from headgate.runner.copying.batches import BATCH_BYTES, INVALID, Batch, marked
from headgate.runner.errors import NodeFailed
from headgate.runner.sql import failing

_PAGE = 100


class PostgresRows:
    """A source."""

    def __init__(self, node: PostgresSource, connection: psycopg.AsyncConnection[Any]) -> None:
        """``connection`` commits each statement."""
        self._node = node
        self._connection = connection

    async def read(self, after: str | None, limit: int, until: str | None = None) -> Batch:
        """As ``Source`` has it. A row is of the moment at which its page is read."""
        records: list[str] = []
        mark, size = None, 0
        statement, values = self._statement(after, until, None if until is not None else limit)
        with failing():
            async with self._connection.cursor() as cursor:
                pages = cast("AsyncGenerator[Any]", cursor.stream(statement, values, size=_PAGE))
                async with aclosing(pages):
                    async for record, *place in pages:
                        records.append(record)
                        mark, size = place, size + len(record)
                        if size >= BATCH_BYTES and until is None:
                            break
        return Batch(tuple(records), until if until is not None else marked(mark) if mark is not None else None)

    def _statement(self, after: str | None, until: str | None, limit: int | None) -> tuple[sql.Composed, list[Any]]:
        columns = [_of("t", name) for name in self._node.cursor]
        values: list[Any] = []
        wanted: list[sql.Composable] = [sql.SQL("{} IS NOT NULL").format(column) for column in columns]
        for mark, beyond in ((after, ">"), (until, "<=")):
            if mark is not None:
                places = sql.SQL(", ").join(sql.Placeholder() * len(columns))
                wanted.append(sql.SQL("({}) {} ({})").format(sql.SQL(", ").join(columns), sql.SQL(beyond), places))
                values += self._place(mark)
        if self._node.settle is not None:
            wanted.append(sql.SQL("{} < now() - {}::interval").format(columns[0], sql.Placeholder()))
            values.append(parse_duration(self._node.settle))
        # A name alone would be a column's, where the table has one that is named so.
        record: sql.Composable = sql.SQL("row_to_json(t.*)")
        if self._node.columns:
            chosen = sql.SQL(", ").join(_of("t", name) for name in self._node.columns)
            record = sql.SQL("(SELECT row_to_json(r.*) FROM (SELECT {}) r)").format(chosen)
        statement = sql.SQL("SELECT {}::text, {} FROM {} t WHERE {} ORDER BY {}").format(
            record,
            sql.SQL(", ").join(sql.SQL("{}::text").format(column) for column in columns),
            table(self._node.table),
            sql.SQL(" AND ").join(wanted),
            sql.SQL(", ").join(columns),
        )
        if limit is not None:
            statement += sql.SQL(" LIMIT {}").format(sql.Placeholder())
            values.append(limit)
        return statement, values

    def _place(self, mark: str) -> list[str]:
        found = json.loads(mark)
        if not isinstance(found, list) or len(found) != len(self._node.cursor):
            raise NodeFailed(INVALID, "the cursor is of another source")
        return [str(value) for value in found]


def table(name: str) -> sql.Identifier:
    """A table as statements name it."""
    return sql.Identifier(*name.split("."))


def _of(alias: str, column: str) -> sql.Composed:
    return sql.SQL("{}.{}").format(sql.Identifier(alias), sql.Identifier(column))
