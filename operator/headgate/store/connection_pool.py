"""Connections to Postgres that are kept for the next one who needs one."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from sqlalchemy import make_url

from headgate.store.errors import DatabaseUnavailable

_LIFETIME_SECONDS = 1800.0
"""After which a connection is closed instead of used: addresses, and what it remembers, change."""
_OPTIONS: Mapping[str, Any] = MappingProxyType(
    {"autocommit": True, "connect_timeout": 5, "application_name": "headgate"}
)


class HeardConnection(psycopg.AsyncConnection[Any]):
    """A connection that breaks when its other side says nothing for too long.

    What Postgres itself bounds, it bounds as long as it is there: who waits for one that hangs would hold the
    connection for as long as the network thinks right.
    """

    answer: float | None = None
    """Seconds."""
    unheard = False
    """Whether it broke as there was no answer in time."""

    async def wait(self, *args: Any, **more: Any) -> Any:
        """As psycopg has it, through which all that is asked goes."""
        if self.answer is None:
            return await super().wait(*args, **more)
        late = asyncio.get_running_loop().call_later(self.answer, self._give_up)
        try:
            return await super().wait(*args, **more)
        finally:
            late.cancel()

    def _give_up(self) -> None:
        """As if the other side had closed the connection, which is what whoever waits for it knows to deal with."""
        self.unheard = True
        if not self.closed:
            with socket.socket(fileno=os.dup(self.pgconn.socket)) as end, suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Pooled:
    """A connection that somebody has."""

    connection: HeardConnection
    until: float
    """The loop's time after which it is not used again."""


class ConnectionPool:
    """Opens connections when they are needed, so many at most, and gives them out again, the last used one first.

    Whoever takes one has to hand it to ``keep`` and, where that says so, to ``mend``. For one event loop.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int,
        timeout: timedelta,
        prepare_after: int | None,
        parameters: Mapping[str, int] = MappingProxyType({}),
        answer: timedelta | None = None,
    ) -> None:
        """``timeout`` is how long one waits for a connection, and ``parameters`` are further ones of libpq for it.

        A statement is prepared once it was carried out ``prepare_after`` times; never where that is None. A connection
        on which one is not answered within ``answer`` breaks; without it, it is waited for.
        """
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._timeout = timeout.total_seconds()
        self._prepare_after = prepare_after
        self._options = {**_OPTIONS, **parameters}
        self._answer = None if answer is None else answer.total_seconds()
        self._places = asyncio.Semaphore(size)
        self._idle: list[Pooled] = []
        self._closed = False

    async def take(self) -> Pooled:
        """A connection that is nobody else's; it may turn out to be broken.

        Raises ``DatabaseUnavailable`` when none became free in time, and psycopg's errors when none can be opened.
        """
        await self.place()
        return await self.connection()

    async def place(self) -> None:
        """Wait until one may have a connection more. Raises ``DatabaseUnavailable`` when that took too long."""
        if not self._places.locked():
            # At once, and without the cost of a time-out.
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._places.acquire()
        except TimeoutError:
            raise DatabaseUnavailable("no connection to Postgres became free in time") from None

    def leave(self) -> None:
        """Let another have the place."""
        self._places.release()

    async def connection(self) -> Pooled:
        """A connection for who has a place; it may turn out to be broken. The place is left where there is none.

        Raises psycopg's errors when none can be opened.
        """
        try:
            now = asyncio.get_running_loop().time()
            while self._idle:
                pooled = self._idle.pop()
                if now < pooled.until:
                    return pooled
                await pooled.connection.close()
            return Pooled(await self._opened(), now + _LIFETIME_SECONDS)
        except BaseException:
            self.leave()
            raise

    def keep(self, pooled: Pooled) -> bool:
        """Take a connection back. False where it first has to be mended: something is under way, or it is broken."""
        if self._closed or pooled.connection.pgconn.transaction_status != TransactionStatus.IDLE:
            return False
        self._idle.append(pooled)
        self._places.release()
        return True

    async def mend(self, pooled: Pooled) -> None:
        """Roll back what is under way, and take the connection back; drop it where that cannot be done."""
        try:
            if not self._closed and not pooled.connection.closed:
                await pooled.connection.rollback()
        except psycopg.Error:
            await pooled.connection.close()
        except BaseException:
            # The loop ends: nobody else would close it.
            await pooled.connection.close()
            raise
        else:
            if self._closed:
                await pooled.connection.close()
            elif not pooled.connection.closed:
                self._idle.append(pooled)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Close every connection, those that somebody has when they are given back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().connection.close()

    async def _opened(self) -> HeardConnection:
        opened = await HeardConnection.connect(
            self._url,
            prepare_threshold=self._prepare_after,
            row_factory=namedtuple_row,
            **self._options,
        )
        opened.answer = self._answer
        return opened
