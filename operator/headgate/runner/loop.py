"""Claim, execute, keep, complete: until there is nothing to do any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import structlog

from headgate.domain.runner_protocol import Kept, Result, Task
from headgate.runner.client import GatewayRefused, GatewayUnavailable, NotOurs, patiently

HEARTBEATS_PER_LEASE = 3
POLL_SECONDS = 0.5
STOPPED = Result(succeeded=False, reason="Cancelled", message="the attempt was asked to end")
PATIENCE_SECONDS = 120.0
"""How long the gateway may be away. What is under way goes on meanwhile; afterwards another runner begins it anew."""


class Queue(Protocol):
    """Where attempts come from; see ``Gateway``."""

    async def claim(self, run_id: UUID) -> Task | None:
        """The next attempt."""
        ...

    async def heartbeat(self, task: Task) -> Kept:
        """Keep it, and learn whether it is to end."""
        ...

    async def complete(self, task: Task, result: Result) -> Task | None:
        """End it."""
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
        try:
            while following is not None:
                following = await self._one(following)
                self._more.set()
        finally:
            self._more.set()

    async def _one(self, task: Task) -> Task | None:
        log = structlog.get_logger("headgate.runner").bind(node=task.node, attempt=task.attempt)
        log.info("begun")
        execution = asyncio.ensure_future(self.execute(task))
        keeping = asyncio.create_task(self._keep(task, execution))
        # Without heartbeats the attempt is another's in a moment.
        keeping.add_done_callback(lambda _: execution.cancel())
        try:
            await asyncio.wait([execution])
            if keeping.done():
                log.warning("given up", why="it is not this runner's any more")
                return None
            result = STOPPED if execution.cancelled() else execution.result()
            # The lease is kept until the end is recorded.
            following = await patiently(
                lambda: self.queue.complete(task, result), sleep=self.sleep, patience=PATIENCE_SECONDS
            )
        except NotOurs as error:
            log.warning("not recorded, or recorded before", why=str(error))
            return None
        finally:
            # While what is cancelled takes its time to end, it stays this runner's.
            execution.cancel()
            await asyncio.gather(execution, return_exceptions=True)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        log.info("ended", succeeded=result.succeeded, reason=result.reason)
        return following

    async def _keep(self, task: Task, execution: asyncio.Future[Result]) -> None:
        """Send heartbeats, and cancel the execution where it is to end; return when the attempt is lost."""
        stopped = False
        while True:
            await self.sleep(task.lease_seconds / HEARTBEATS_PER_LEASE)
            try:
                kept = await self.queue.heartbeat(task)
            except (NotOurs, GatewayRefused):
                return
            except GatewayUnavailable:
                # Nobody else can claim it from a gateway that does not answer; one that does will say.
                continue
            if kept.stop and not stopped:
                stopped = execution.cancel()
