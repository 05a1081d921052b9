"""Transactions: for one tenant, or for what crosses tenants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable, PartitionMissing
from headgate.store.roles import APP, SYSTEM

Transaction = AsyncConnection

_SETTINGS = """
    set_config('role', :role, true), set_config('app.workspace_id', :workspace_id, true),
    set_config('statement_timeout', :statement_timeout, true), set_config('lock_timeout', :statement_timeout, true),
    set_config('idle_in_transaction_session_timeout', :transaction_timeout, true)
"""
_BEGIN = text(f"SELECT {_SETTINGS}")
_BEGIN_LOCKED = text(f"SELECT {_SETTINGS}, pg_advisory_xact_lock(:lock)")


class Database:
    """A pool of connections to Headgate's Postgres.

    Everything a transaction needs is set inside of it, by its first statement: no session state, so that PgBouncer may
    hand every transaction another connection. (Its transaction mode needs version 1.21 or newer for prepared
    statements, or ``prepared_statements=False``.)
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
    ) -> None:
        """``url`` is a libpq URL of the runtime login; ``pool_size`` is the number of connections at most.

        ``statement_timeout`` bounds each statement and each wait for a lock, ``transaction_timeout`` the time that a
        transaction may lie idle.
        """
        self._engine = create_async_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout.total_seconds(),
            pool_recycle=1800,
            hide_parameters=True,
            connect_args={
                "connect_timeout": 5,
                "prepare_threshold": 5 if prepared_statements else None,
                "application_name": "headgate",
            },
        )
        self._timeouts = {
            "statement_timeout": _milliseconds(statement_timeout),
            "transaction_timeout": _milliseconds(transaction_timeout),
        }

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def tenant(self, workspace_id: UUID, *, lock: UUID | None = None) -> AsyncIterator[Transaction]:
        """One transaction that sees the rows of one workspace.

        With ``lock``, the id of a run, it waits until no other transaction holds that run. Raises
        ``DatabaseUnavailable``, ``DatabaseNotMigrated`` and ``PartitionMissing``.
        """
        settings: dict[str, Any] = {"role": APP, "workspace_id": str(workspace_id)}
        if lock is not None:
            settings["lock"] = _lock_key(lock)
        async with self._transaction(settings) as transaction:
            yield transaction

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Transaction]:
        """One transaction that sees what crosses workspaces, and no more. Raises like ``tenant``."""
        async with self._transaction({"role": SYSTEM, "workspace_id": ""}) as transaction:
            yield transaction

    @asynccontextmanager
    async def _transaction(self, settings: dict[str, Any]) -> AsyncIterator[Transaction]:
        with _translated():
            connection = await self._begin(settings)
            try:
                yield connection
                await connection.commit()
            finally:
                # Whatever was not committed is rolled back; a cancelled caller must not leave that half done.
                await asyncio.shield(connection.close())

    async def _begin(self, settings: dict[str, Any]) -> AsyncConnection:
        """A connection whose transaction has begun.

        The first statement doubles as the health check: where it finds its connection broken the whole pool is
        renewed, and one more try is made. So a healthy pool pays nothing for being checked.
        """
        statement = _BEGIN_LOCKED if "lock" in settings else _BEGIN
        for last in (False, True):
            connection = await self._engine.connect()
            try:
                await connection.execute(statement, settings | self._timeouts)
            except BaseException as error:
                await connection.close()
                if last or not (isinstance(error, exc.DBAPIError) and error.connection_invalidated):
                    raise
            else:
                return connection
        raise AssertionError("unreachable: the last try returns or raises")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.TimeoutError:
        raise DatabaseUnavailable("no connection to Postgres became free in time") from None
    except exc.DBAPIError as error:
        original = error.orig
        if isinstance(original, psycopg.errors.CheckViolation) and "no partition of relation" in str(original):
            raise PartitionMissing(str(original).split("\n", 1)[0]) from None
        if isinstance(original, psycopg.errors.UndefinedTable | psycopg.errors.InvalidParameterValue):
            raise DatabaseNotMigrated("Headgate's tables or roles are missing; run `headgate migrate`") from error
        if isinstance(original, psycopg.errors.InsufficientPrivilege) and "set role" in str(original):
            raise DatabaseNotMigrated("the login lacks Headgate's roles; run `headgate migrate`") from None
        if isinstance(original, psycopg.OperationalError | psycopg.InterfaceError):
            raise DatabaseUnavailable(f"Postgres is not available ({type(original).__name__})") from None
        raise


def _milliseconds(length: timedelta) -> str:
    return str(round(length.total_seconds() * 1000))


def _lock_key(identifier: UUID) -> int:
    """The random half of a UUIDv7 as Postgres' signed 64-bit advisory lock. A clash only makes two runs take turns."""
    return int.from_bytes(identifier.bytes[8:], signed=True)
