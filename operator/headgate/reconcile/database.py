"""Noticing that Postgres went away or came back, and what waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry, Gauge

from headgate.engine.engine import Engine
from headgate.reconcile.keys import Key
from headgate.store.errors import DatabaseUnavailable

UP_SECONDS = 5.0
"""Between questions while Postgres answers."""
DOWN_SECONDS = 1.0
"""Between questions while it does not."""


class DatabaseMonitor:
    """Asks every few seconds whether Postgres can be used, and tells of changes."""

    def __init__(
        self,
        engine: Engine,
        registry: CollectorRegistry,
        *,
        changed: Callable[[bool], None],
        enqueue: Callable[[Key], None],
    ) -> None:
        """``changed`` is told whether Postgres can be used from now on; not of the first answer after the start."""
        self._engine = engine
        self._changed = changed
        self._enqueue = enqueue
        self._up: bool | None = None
        self._parked: set[Key] = set()
        self._gauge = Gauge("headgate_database_up", "Whether Postgres answers.", registry=registry)
        self._log = structlog.get_logger("headgate.database")

    def park(self, key: Key) -> None:
        """Have ``key`` reconciled once Postgres answers again: it failed to at a question that was asked before."""
        self._parked.add(key)

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            up = await self.once()
            await asyncio.sleep(UP_SECONDS if up else DOWN_SECONDS)

    async def once(self) -> bool:
        """Ask once. Whether Postgres can be used."""
        # Who is parked while the question is under way may have failed after it was answered, and waits for the next.
        parked, self._parked = self._parked, set()
        up = await self._answers()
        changed = self._up is not None and up != self._up
        self._up = up
        self._gauge.set(up)
        if changed:
            self._changed(up)
        if up:
            for key in parked:
                self._enqueue(key)
        else:
            self._parked |= parked
        return up

    async def _answers(self) -> bool:
        was_down = self._up is False
        try:
            await self._engine.ping()
        except DatabaseUnavailable as error:
            if not was_down:
                self._log.warning("Postgres cannot be used", error=str(error))
            return False
        except Exception:
            # Whatever is wrong with it, tenants are kept.
            if not was_down:
                self._log.exception("Postgres cannot be used")
            return False
        if was_down:
            self._log.info("Postgres is back")
        return True
