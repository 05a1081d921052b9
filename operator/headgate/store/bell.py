"""Telling other processes, through Postgres, that a workspace has something for runners to do.

What is told may get lost, and costs no more than time then: nothing depends on it but how soon somebody looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import psycopg
import structlog
from sqlalchemy import make_url

from headgate.cancellation import heed

CHANNEL = "headgate_runner_work"
RETRY_SECONDS = 5.0
_LISTEN = f"LISTEN {CHANNEL}"
_NOTIFY = f"SELECT pg_notify('{CHANNEL}', name) FROM unnest(%(names)s::text[]) name"  # noqa: S608 - a constant


class Bell:
    """One connection of its own, which listens and rings. Through a pooler it rings only.

    A pooler may give each statement another connection: listening is of no use then, and one that nobody has asked for
    would be told.
    """

    def __init__(self, url: str, heard: Callable[[str], object], *, retry_seconds: float = RETRY_SECONDS) -> None:
        """``heard`` is told the names of workspaces that others ring for."""
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._heard = heard
        self._retry_seconds = retry_seconds
        self._wanted: set[str] = set()
        self._more = asyncio.Event()
        self._log = structlog.get_logger("headgate.bell")

    def ring(self, workspaces: Iterable[str]) -> None:
        """Tell everybody soon; many rings at once cost one statement."""
        self._wanted.update(workspaces)
        self._more.set()

    async def run(self) -> None:
        """Listen and ring for ever, and connect anew where the connection breaks."""
        while True:
            try:
                await self._serve()
            except psycopg.Error as error:
                self._log.warning("runners are not woken across processes", error=type(error).__name__)
            heed()
            await asyncio.sleep(self._retry_seconds)

    async def _serve(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, application_name="headgate-bell", connect_timeout=5
        )
        async with connection:
            connection.add_notify_handler(lambda told: self._take(connection, told.pid, told.payload))
            if await _is_pooled(connection):
                self._log.warning("runners are not woken across processes: set HEADGATE_DATABASE_DIRECT_URL")
            else:
                await connection.execute(_LISTEN)
            while True:
                await self._tell(connection)
                await self._listen(connection)

    async def _tell(self, connection: psycopg.AsyncConnection[object]) -> None:
        self._more.clear()
        names, self._wanted = sorted(self._wanted), set()
        if names:
            await connection.execute(_NOTIFY, {"names": names})

    async def _listen(self, connection: psycopg.AsyncConnection[object]) -> None:
        """Return when there is something to tell."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(connection.fileno(), readable.set)
        try:
            waits = [asyncio.ensure_future(self._more.wait()), asyncio.ensure_future(readable.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        finally:
            loop.remove_reader(connection.fileno())
        if readable.is_set():
            # Raises where the connection has broken.
            connection.pgconn.consume_input()
            while told := connection.pgconn.notifies():
                self._take(connection, told.be_pid, told.extra.decode())

    def _take(self, connection: psycopg.AsyncConnection[object], teller: int, workspace: str) -> None:
        if teller != connection.pgconn.backend_pid:
            self._heard(workspace)


async def _is_pooled(connection: psycopg.AsyncConnection[object]) -> bool:
    """Whether what answers is not what the connection was made to."""
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    return row != (connection.info.backend_pid,)
