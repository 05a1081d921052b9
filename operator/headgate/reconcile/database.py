"""Noticing that Postgres went away or came back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry, Gauge

from headgate.engine.engine import Engine
from headgate.store.errors import DatabaseUnavailable

PING_SECONDS = 5.0


class DatabaseMonitor:
    """Asks every few seconds, and tells of changes."""

    def __init__(self, engine: Engine, registry: CollectorRegistry, changed: Callable[[], None]) -> None:
        self._engine = engine
        self._changed = changed
        self._up: bool | None = None
        self._gauge = Gauge("headgate_database_up", "Whether Postgres answers.", registry=registry)
        self._log = structlog.get_logger("headgate.database")

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.once()
            await asyncio.sleep(PING_SECONDS)

    async def once(self) -> None:
        """Ask once."""
        try:
            await self._engine.ping()
            up = True
        except DatabaseUnavailable as error:
            up = False
            if self._up is not False:
                self._log.warning("Postgres does not answer", error=str(error))
        if up and self._up is False:
            self._log.info("Postgres is back")
        changed = self._up is not None and up != self._up
        self._up = up
        self._gauge.set(up)
        if changed:
            self._changed()
