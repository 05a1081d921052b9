"""Two tenants on the same hundred connections, with every verb on every table: neither gets at the other."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from headgate.store.database import Database, Transaction
from headgate.store.errors import DatabaseUnavailable, StatementRefused
from tests.component import test_isolation
from tests.component.tables import SHARED_TABLES, TENANT_TABLES
from tests.component.world import World
from tests.support.databases import TestDatabase

two_tenants = test_isolation.two_tenants

CONNECTIONS, QUERIES, SEED = 100, 10_000, 6
TOGETHER = 5
"""Queries of a transaction, unless one is refused before."""
OPENED_AT_ONCE = 4
"""Of the connections."""
DISTURBED = 0.1
"""Of transactions."""
NOT_ALLOWED, NOT_SUPPORTED = "42501", "0A000"
"""No right to it, or not to such a row; and COPY FROM, which Postgres has not for tables whose rows are guarded."""
NEVER = ("give away", "insert theirs", "copy theirs in")
"""Verbs that are refused whatever the table."""


class Undone(Exception):  # noqa: N818 - how a transaction ends, not a mistake
    """Rolls a transaction back."""


@dataclass(frozen=True)
class Query:
    """One verb on one table, as a program writes it that forgot whose rows there are, or that means another's.

    Every row that it returns or changes, it names by its workspace.
    """

    table: str
    verb: str
    text: sql.Composed = field(repr=False)

    async def carried_out(self, tx: Transaction, parameters: Mapping[str, Any]) -> set[UUID]:
        """Whose rows it saw or changed."""
        connection = tx._connection
        if not self.verb.startswith("copy"):
            return {row[0] for row in await tx.rows(self.text, parameters)}  # type: ignore[arg-type]
        async with connection.cursor() as cursor, cursor.copy(self.text) as copy:
            if self.verb == "copy":
                copy.set_types(["uuid"])
                return {row[0] async for row in copy.rows()}
            await copy.write_row((parameters["other"],))
        return {parameters["other"]}


def queries(database: TestDatabase) -> Iterator[Query]:
    """All of them, for the columns that the app role has a right to."""
    for table in TENANT_TABLES:
        key = "id" if table == "workspaces" else "workspace_id"
        updatable = [column for column in columns(database, table, "UPDATE") if column != key]
        names = {
            "t": sql.Identifier("headgate", table),
            "key": sql.Identifier(key),
            "column": sql.Identifier((updatable or [key])[-1]),
            "columns": sql.SQL(", ").join(map(sql.Identifier, columns(database, table, "INSERT") or [key])),
        }
        for verb, text in VERBS.items():
            yield Query(table, verb, sql.SQL(text).format(**names))


VERBS = {
    "select": "SELECT {key} FROM {t}",
    "select theirs": "SELECT {key} FROM {t} WHERE {key} = %(other)s",
    "select either": "SELECT {key} FROM {t} WHERE {key} = %(other)s OR {key} <> %(other)s",
    "update": "UPDATE {t} SET {column} = {column} RETURNING {key}",
    "update theirs": "UPDATE {t} SET {column} = {column} WHERE {key} = %(other)s RETURNING {key}",
    "give away": "UPDATE {t} SET {key} = %(other)s RETURNING {key}",
    "delete theirs": "DELETE FROM {t} WHERE {key} = %(other)s RETURNING {key}",
    "insert theirs": "INSERT INTO {t} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{t}, %(row)s)"
    " RETURNING {key}",
    "merge theirs": "MERGE INTO {t} USING (SELECT %(other)s::uuid AS other) AS s ON {t}.{key} = s.other"
    " WHEN MATCHED THEN UPDATE SET {column} = {t}.{column} RETURNING {t}.{key}",
    "copy": "COPY (SELECT {key} FROM {t}) TO STDOUT",
    "copy theirs in": "COPY {t} ({key}) FROM STDIN",
}


def columns(database: TestDatabase, table: str, privilege: str) -> list[str]:
    """Those that the app role has this right to."""
    found = database.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attgenerated = '' AND attidentity <> 'a' AND has_column_privilege('headgate_app', attrelid, attnum, %s)"
        " ORDER BY attnum",
        f"headgate.{table}",
        privilege,
    )
    return [row[0] for row in found]


def everything(database: TestDatabase) -> list[tuple[Any, ...]]:
    """What there is, in short."""
    text = "SELECT '{0}', count(*), md5(string_agg(t::text, ';' ORDER BY t::text)) FROM headgate.{0} t"
    return database.rows(
        " UNION ALL ".join(text.format(table) for table in (*TENANT_TABLES, *SHARED_TABLES)) + " ORDER BY 1"
    )


@dataclass
class Tenant:
    """One of the two, and what it knows of the other: its id, and how its rows look."""

    id: UUID
    other: UUID
    rows: Mapping[str, str]

    def parameters(self, query: Query) -> dict[str, Any]:
        return {"other": self.other, "row": self.rows[query.table]}


@dataclass
class Storm:
    """Queries of both on the same connections, and what came of them."""

    database: Database
    tenants: Sequence[Tenant]
    chance: random.Random
    left: list[Query]
    foreign: list[tuple[str, str]] = field(default_factory=list)
    own: Counter[tuple[UUID, str, str]] = field(default_factory=Counter)
    refused: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    served: dict[int, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    """Whom each connection served."""
    disturbances: Counter[str] = field(default_factory=Counter)
    opening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OPENED_AT_ONCE))

    async def caller(self, together: asyncio.Barrier) -> None:
        """Transactions of either tenant until nothing is left to do. The first two begin with those of all others.

        So that every connection has served both by then: those that are free are not given out in turns.
        """
        for tenant in self.tenants:
            async with AsyncExitStack() as stack:
                # A connection has seconds to open, which so many at once on a busy machine do not all do.
                async with self.opening:
                    tx = await stack.enter_async_context(self.database.tenant(tenant.id))
                self.served[tx._connection.info.backend_pid].add(tenant.id)
                await together.wait()
        while self.left:
            if self.chance.random() < DISTURBED:
                await self._disturbed()
            await self._transaction(self.chance.choice(self.tenants))

    async def _transaction(self, tenant: Tenant) -> None:
        try:
            async with self.database.tenant(tenant.id) as tx:
                self.served[tx._connection.info.backend_pid].add(tenant.id)
                for _ in range(TOGETHER):
                    if not self.left:
                        break
                    await self._query(tx, tenant, self.left.pop())
        except Undone:
            pass

    async def _query(self, tx: Transaction, tenant: Tenant, query: Query) -> None:
        try:
            whose = await query.carried_out(tx, tenant.parameters(query))
        except psycopg.Error as error:
            self.refused[query.verb, query.table].add(error.sqlstate or type(error).__name__)
            raise Undone from None
        if whose - {tenant.id}:
            self.foreign.append((query.verb, query.table))
        self.own[tenant.id, query.verb, query.table] += bool(whose)
        if whose and not query.verb.startswith(("select", "copy")):
            # Others of the same tenant wait for these rows.
            raise Undone

    async def _disturbed(self) -> None:
        """What else becomes of transactions: they fail, are given up in the middle, or are nobody's."""
        tenant, what = self.chance.choice(self.tenants), self.chance.choice(("failed", "cancelled", "system"))
        self.disturbances[what] += 1
        if what == "system":
            async with self.database.system() as tx:
                await tx.value("SELECT count(*) FROM headgate.workspaces")
            return
        statement, seconds = ("SELECT pg_sleep(60)", 0.01) if what == "cancelled" else ("SELECT 1 / 0", None)
        with suppress(StatementRefused, TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(seconds), self.database.tenant(tenant.id) as tx:
                await tx.value("SELECT count(*) FROM headgate.workflows")
                await tx.value(statement)
            raise AssertionError("a transaction that fails or is given up has an end of its own")


async def test_ten_thousand_queries_see_and_change_no_foreign_row(two_tenants: World, fresh: TestDatabase) -> None:
    every = list(queries(fresh))
    acme, other = two_tenants.ids["acme"], two_tenants.ids["other"]
    tenants = [Tenant(acme, other, rows_of(fresh, other)), Tenant(other, acme, rows_of(fresh, acme))]
    before = everything(fresh)
    # Its own connections are a few of those that the server has for all.
    await two_tenants.database.close()
    chance = random.Random(SEED)
    left = [every[number % len(every)] for number in range(QUERIES)]
    chance.shuffle(left)
    # The first of them lies idle in its transaction until the last one is there.
    database = Database(fresh.url, pool_size=CONNECTIONS, transaction_timeout=timedelta(minutes=2))
    storm = Storm(database, tenants, chance, left)

    together = asyncio.Barrier(CONNECTIONS)
    await asyncio.gather(*(storm.caller(together) for _ in range(CONNECTIONS)))
    await database.close()

    assert storm.foreign == []
    assert everything(fresh) == before
    allowed = {NOT_ALLOWED, NOT_SUPPORTED}
    assert {key: states for key, states in storm.refused.items() if not states <= allowed} == {}
    assert [query for query in every if query.verb in NEVER and (query.verb, query.table) not in storm.refused] == []
    # All of that would have been seen: each has seen its own rows, in every table and over connections of both.
    assert [key for tenant in tenants for query in every if query.verb in ("select", "copy", "select either")
            if not storm.own[key := (tenant.id, query.verb, query.table)]] == []  # fmt: skip
    assert len(storm.served) >= CONNECTIONS
    assert all(whom == {acme, other} for whom in list(storm.served.values())[:CONNECTIONS])
    assert min(storm.disturbances[what] for what in ("failed", "cancelled", "system")) > 0


def rows_of(database: TestDatabase, workspace: UUID) -> dict[str, str]:
    """A row of every table, as its owner has it."""
    found = {}
    for table in TENANT_TABLES:
        key = "id" if table == "workspaces" else "workspace_id"
        [[row], *_] = database.rows(f"SELECT to_jsonb(t) FROM headgate.{table} t WHERE {key} = %s", workspace)
        found[table] = json.dumps(row)
    return found
