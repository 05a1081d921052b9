"""Claim, execute, keep, complete: until there is nothing to do any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from headgate.domain.runner_protocol import Result, Task
from headgate.runner.client import patiently
from headgate.runner.keeper import PATIENCE_SECONDS, Keeper, Recorder

POLL_SECONDS = 0.5


class Queue(Recorder, Protocol):
    """Where attempts come from; see ``Gateway``."""

    async def claim(self, run_id: UUID) -> Task | None:
        """The next attempt."""
        ...


@dataclass
class Loop:
    """Works off a run's attempts, several at a time."""

    queue: Queue
    execute: Callable[[Task], Awaitable[Result]]
    run_id: UUID
    slots: int
    """Attempts at the same time at most."""
    idle_seconds: float
    """How long there may be nothing to do before the runner ends."""
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _busy: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Return when there was nothing to do for a while. Raises when the gateway stays away or refuses."""
        try:
            await self._work()
        finally:
            # Nothing is completed that did not end by itself: another runner begins it anew.
            for worker in self._busy:
                worker.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)

    async def _work(self) -> None:
        idle_since = self.monotonic()
        while True:
            self._more.clear()
            if self._busy:
                idle_since = self.monotonic()
            self._reap()
            if len(self._busy) < self.slots and await self._begin_next():
                continue
            if not self._busy and self.monotonic() - idle_since >= self.idle_seconds:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._more.wait()

    async def _begin_next(self) -> bool:
        task = await patiently(lambda: self.queue.claim(self.run_id), sleep=self.sleep, patience=PATIENCE_SECONDS)
        if task is None:
            return False
        self._busy.add(asyncio.create_task(self._chain(task)))
        return True

    def _reap(self) -> None:
        for worker in [worker for worker in self._busy if worker.done()]:
            self._busy.discard(worker)
            worker.result()

    async def _chain(self, task: Task) -> None:
        """An attempt and, as long as there is one in the answer to its end, the next."""
        following: Task | None = task
        keeper = Keeper(self.queue, self.execute, self.sleep)
        try:
            while following is not None:
                following = await keeper.see_through(following)
                self._more.set()
        finally:
            self._more.set()
