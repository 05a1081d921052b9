"""Transactions: for one tenant, or for what crosses tenants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from headgate.dependencies import DependencyGuard, NotAsked, unguarded
from headgate.domain.dependency_breaker import DependencyName
from headgate.store import beginning
from headgate.store.connection_pool import ConnectionPool, Pooled
from headgate.store.errors import DatabaseUnavailable, RunHeld, StatementRefused
from headgate.store.failures import translated, unanswered
from headgate.store.joint import Ask, Joint, Parameters

ANSWER = timedelta(seconds=15)
"""``answer`` of who leaves the other time-outs as they are: longer than any of them."""
T = TypeVar("T")


class Transaction:
    """Carries out statements in psycopg's form, ``%(name)s``, one after the other."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], ask: Ask | None = None) -> None:
        self._connection = connection
        self._ask = ask

    def shared_by(self, ask: Ask) -> Transaction:
        """The transaction for one of several who share it: ``ask`` has a statement carried out for them together."""
        return Transaction(self._connection, ask)

    @property
    def is_shared(self) -> bool:
        """Whether others do the same in it, so that what one of them cannot do is done by nobody."""
        return self._ask is not None

    async def joint(self, statement: Joint, parameters: Parameters) -> list[Any]:
        """All rows of a statement that those who share a transaction have carried out at once."""
        if self._ask is not None:
            return await self._ask(statement, parameters)
        return await self.rows(statement.alone, parameters)

    async def rows(
        self, statement: str, parameters: Parameters | None = None, *, prepare: bool | None = None
    ) -> list[Any]:
        """All rows, as named tuples.

        A statement is planned each of the first five times on a connection, and then no more. With ``prepare`` it is
        planned the first time only, and without (False) each time, by its values.
        """
        return await (await self._connection.execute(statement, parameters, prepare=prepare)).fetchall()

    async def row(
        self, statement: str, parameters: Parameters | None = None, *, prepare: bool | None = None
    ) -> Any | None:
        """The first row, or None. ``prepare`` is as ``rows`` has it."""
        return await (await self._connection.execute(statement, parameters, prepare=prepare)).fetchone()

    async def one(self, statement: str, parameters: Parameters | None = None) -> Any:
        """The first row, which there must be."""
        row = await self.row(statement, parameters)
        if row is None:
            raise LookupError("a row that must be there is missing")
        return row

    async def value(self, statement: str, parameters: Parameters | None = None) -> Any | None:
        """The first column of the first row, or None."""
        row = await self.row(statement, parameters)
        return None if row is None else row[0]

    async def execute(self, statement: str, parameters: Parameters | None = None) -> int:
        """How many rows were written."""
        return (await self._connection.execute(statement, parameters)).rowcount


class Database:
    """A pool of connections to Headgate's Postgres.

    There is no session state, so that PgBouncer may hand every transaction another connection. (Its transaction mode
    needs version 1.22 or newer for prepared statements, or ``prepared_statements=False``.)
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_timeout: timedelta = timedelta(seconds=10),
        statement_timeout: timedelta = timedelta(seconds=10),
        transaction_timeout: timedelta = timedelta(seconds=30),
        prepared_statements: bool = True,
        silence: timedelta | None = None,
        answer: timedelta | None = None,
        guard: DependencyGuard | None = None,
    ) -> None:
        """``url`` is a libpq URL of the runtime login; ``pool_size`` is the number of connections at most.

        ``statement_timeout`` bounds each statement and each wait for a lock, ``transaction_timeout`` the time that a
        transaction may lie idle. Over a network a connection counts as broken whose other side says nothing for
        ``silence``; as long as the system thinks right when None. Everywhere it does when a statement is not answered
        within ``answer``, which has to be longer than every bound that Postgres keeps itself.

        Beginning a transaction is what ``guard`` sees: what becomes of it says nothing of whether Postgres is there.
        Without one, it is always tried.
        """
        self._guard = guard or unguarded(DependencyName.POSTGRES)
        self._pool = ConnectionPool(
            url,
            size=pool_size,
            timeout=pool_timeout,
            prepare_after=5 if prepared_statements else None,
            parameters={} if silence is None else _silence(silence),
            answer=answer,
        )
        self._pool_size = pool_size
        self._settings = {
            "jit": "off",
            "statement_timeout": _milliseconds(statement_timeout),
            "lock_timeout": _milliseconds(statement_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(transaction_timeout),
        }
        self._at_once = {held: beginning.at_once(self._settings, held=held) for held in (False, True)}

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    @asynccontextmanager
    async def tenant(
        self,
        workspace_id: UUID,
        *,
        lock: UUID | None = None,
        share: UUID | None = None,
        snapshot: bool = False,
        by_index: bool = False,
        wait: bool = True,
    ) -> AsyncIterator[Transaction]:
        """One transaction that sees the rows of one workspace; ``by_index`` is as ``system`` has it.

        With ``snapshot`` all of its statements see them as they are now, and may write none.
        With ``lock``, the id of a run, it waits until no other transaction holds that run. With ``share`` it holds that
        id beside others that share it, and waits for those that lock it. Raises
        ``DatabaseUnavailable``, ``DatabaseNotMigrated``, ``PartitionMissing`` and ``StatementRefused``; ``RunHeld``
        where another transaction holds the run and it is not to ``wait``.
        """
        begin = beginning.tenant(workspace_id, self._settings, snapshot=snapshot)
        if by_index:
            begin += beginning.BY_INDEX
        if lock is not None:
            key = beginning.number(lock)
            begin += beginning.lock(key) if wait else beginning.tries([key])
        if share is not None:
            begin += beginning.share(beginning.number(share))
        async with self._transaction(begin) as (transaction, begun):
            if lock is not None and not wait and not await _held(begun, [lock]):
                raise RunHeld("another transaction holds the run")
            yield transaction

    @asynccontextmanager
    async def shared(
        self, workspace_id: UUID, locks: Sequence[UUID]
    ) -> AsyncIterator[tuple[Transaction, frozenset[UUID]]]:
        """``tenant`` for several who share it, with those of the ids of runs that it holds: it waits for none.

        Who waits for nobody while it holds several cannot wait in a circle with others.
        """
        begin = beginning.tenant(workspace_id, self._settings) + beginning.BY_INDEX + beginning.BY_LOOPS
        begin += beginning.tries([beginning.number(lock) for lock in locks])
        async with self._transaction(begin) as (transaction, begun):
            yield transaction, await _held(begun, locks)

    async def at_once(
        self,
        workspace_id: UUID,
        statement: str,
        parameters: Parameters | None = None,
        *,
        lock: UUID | None = None,
        prepare: bool | None = None,
    ) -> psycopg.AsyncCursor[Any]:
        """What one statement gave that is a transaction of its own, for one round trip. It is as ``tenant`` has it.

        With ``lock`` it goes by indexes, and is carried out also where another transaction holds that run: it can tell
        by ``beginning.HELD``.
        Raises like ``tenant``; what it wrote may have been kept then. Where the connection breaks before the answer it
        is carried out again, so that what it writes may be written twice.
        """
        begin = self._at_once[lock is not None]
        settings: dict[str, Any] = {"workspace_id": str(workspace_id)}
        if lock is not None:
            settings["lock"] = beginning.number(lock)

        async def ask(connection: psycopg.AsyncConnection[Any]) -> psycopg.AsyncCursor[Any]:
            async with connection.pipeline():
                # What is sent together is one transaction, also without saying so.
                await connection.execute(begin, settings)
                return await connection.execute(statement, parameters, prepare=prepare)

        with translated():
            pooled, answer = await self._asked(ask)
            if not self._pool.keep(pooled):
                await asyncio.shield(self._pool.mend(pooled))
            return answer

    @asynccontextmanager
    async def system(self, *, lock: int | None = None, by_index: bool = False) -> AsyncIterator[Transaction]:
        """One transaction that sees what crosses workspaces, and no more. Raises like ``tenant``.

        With ``lock``, it waits until no other transaction holds that number, and sees all that those did. With
        ``by_index``, indexes are read in their order wherever they can be, whatever statistics say of the tables.
        """
        begin = beginning.system(self._settings)
        if by_index:
            begin += beginning.BY_INDEX
        if lock is not None:
            begin += beginning.lock(lock)
        async with self._transaction(begin) as (transaction, _):
            yield transaction

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[tuple[Transaction, psycopg.AsyncCursor[Any]]]:
        """A transaction, and what its first message gave."""
        with translated():
            pooled, begun = await self._begin(begin)
            try:
                yield Transaction(pooled.connection), begun
                committed = await pooled.connection.execute("COMMIT", prepare=False)
                if committed.statusmessage != "COMMIT":
                    raise StatementRefused("a transaction went on after one of its statements had failed")
            finally:
                if not self._pool.keep(pooled):
                    # What was not committed is rolled back; a caller who is cancelled must not leave that half done.
                    await asyncio.shield(self._pool.mend(pooled))

    async def _begin(self, begin: str) -> tuple[Pooled, psycopg.AsyncCursor[Any]]:
        """A connection whose transaction has begun, and what that gave."""
        return await self._asked(lambda connection: connection.execute(begin))

    async def _asked(self, ask: Callable[[psycopg.AsyncConnection[Any]], Awaitable[T]]) -> tuple[Pooled, T]:
        """A connection, and what it gave to who asked it first.

        While Postgres is left alone nobody waits for a connection, and who has waited for one does not try it.
        """
        try:
            self._guard.check()
        except NotAsked as error:
            raise DatabaseUnavailable(str(error)) from error
        await self._pool.place()
        try:
            with self._guard.asking(unanswered):
                return await self._answered(ask)
        except NotAsked as error:
            self._pool.leave()
            raise DatabaseUnavailable(str(error)) from error

    async def _answered(self, ask: Callable[[psycopg.AsyncConnection[Any]], Awaitable[T]]) -> tuple[Pooled, T]:
        """What ``_asked`` gives, for who has a place among the connections.

        What is asked first doubles as the health check: a connection that turns out to be broken is dropped, and the
        next one is tried, as often as there may be broken ones. So a healthy pool pays nothing for being checked. Where
        one was not answered at all the others will not be either, and none is tried.
        """
        for tries_left in range(self._pool_size, -1, -1):
            pooled = await self._pool.connection()
            connection = pooled.connection
            try:
                return pooled, await ask(connection)
            except BaseException as error:
                only_this_one = isinstance(error, psycopg.Error) and connection.broken and not connection.unheard
                if not only_this_one or not tries_left:
                    await asyncio.shield(self._pool.mend(pooled))
                    raise
                await connection.close()
        raise AssertionError("unreachable: the last try returns or raises")


def _milliseconds(length: timedelta) -> str:
    return str(round(length.total_seconds() * 1000))


def _silence(most: timedelta) -> dict[str, int]:
    """Parameters of libpq for it: a third of the time until it asks, and twice as long for an answer."""
    third = max(1, round(most.total_seconds() / 3))
    return {
        "keepalives_idle": third,
        "keepalives_interval": third,
        "keepalives_count": 2,
        "tcp_user_timeout": round(most.total_seconds() * 1000),
    }


async def _held(begun: psycopg.AsyncCursor[Any], locks: Sequence[UUID]) -> frozenset[UUID]:
    """Those of the runs that were tried that are held."""
    await begun.set_result(-1)
    row = await begun.fetchone()
    return frozenset(lock for lock, got in zip(locks, row.held if row is not None else (), strict=True) if got)
