"""Moving what attempts in pools printed from Postgres, where the gateway put it, into the object store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from headgate.engine.reading.step_logs import StepLogs, WaitingLog
from headgate.objects.object_store import StoreUnavailable
from headgate.reconcile.loops import forever
from headgate.reconcile.step_logs import LogKeeper

LOOK_SECONDS = 2.0
"""Between looks: no run waits for a log."""
BATCH = 16
"""Logs that are moved at the same time at most."""
GIVE_UP = timedelta(hours=1)
"""How long a log may wait for the object store."""


class PoolLogs:
    """Costs one query each two seconds, and what keeping a log costs for each that there is."""

    def __init__(self, logs: StepLogs, keeper: LogKeeper, *, wall: Callable[[], datetime]) -> None:
        self._logs = logs
        self._keeper = keeper
        self._wall = wall
        self._log = structlog.get_logger("headgate.pool_logs")

    async def run(self) -> None:
        """Look for ever."""
        await forever("pool_logs", self.once, net_seconds=LOOK_SECONDS)

    async def once(self) -> datetime | None:
        """Move what waits. When to look again, where that is at once."""
        waiting = await self._logs.waiting(BATCH)
        moved = await asyncio.gather(*(self._move(each) for each in waiting))
        return self._wall() if len(waiting) == BATCH and all(moved) else None

    async def _move(self, waiting: WaitingLog) -> bool:
        """Move one, or give it up. Whether it waits no more."""
        printed = await self._logs.printed(waiting.ref)
        if printed is not None:
            try:
                await self._keeper.keep_printed(waiting.ref, printed)
            except StoreUnavailable as error:
                if self._wall() - waiting.printed_at < GIVE_UP:
                    self._log.warning("will try again", run=str(waiting.ref.run_id), error=str(error))
                    return False
                self._keeper.count_lost()
                self._log.error("the log of an attempt is lost", run=str(waiting.ref.run_id), error=str(error))
        await self._logs.forget_printed(waiting.ref)
        return True
