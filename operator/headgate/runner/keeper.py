"""One attempt that is a runner's: executed, kept meanwhile, and completed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from headgate.domain.runner_protocol import Kept, Kind, Printed, Result, Task
from headgate.runner.client import GatewayRefused, GatewayUnavailable, NotOurs, patiently

_log = structlog.get_logger("headgate.runner")
HEARTBEATS_PER_LEASE = 3
STOPPED = Result(succeeded=False, reason="Cancelled", message="the attempt was asked to end")
PATIENCE_SECONDS = 120.0
"""How long the gateway may be away. What is under way goes on meanwhile; afterwards another runner begins it anew."""


class Recorder(Protocol):
    """Where ends of attempts are recorded; see ``Gateway``."""

    async def heartbeat(self, task: Task) -> Kept:
        """Keep it, and learn whether it is to end."""
        ...

    async def complete(self, task: Task, result: Result, kinds: tuple[Kind, ...] = ()) -> Task | None:
        """End it."""
        ...


def nothing_printed(_task: Task) -> Printed | None:
    """Of a runner whose pod's log is read when it ends."""
    return None


def nothing_else() -> tuple[Kind, ...]:
    """What a runner of a run has room for: that of the run, without saying so."""
    return ()


@dataclass(frozen=True)
class Keeper:
    """Sees attempts through."""

    queue: Recorder
    execute: Callable[[Task], Awaitable[Result]]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    printed: Callable[[Task], Printed | None] = nothing_printed
    """Gives what an attempt printed, once."""

    async def see_through(self, task: Task, kinds: Callable[[], tuple[Kind, ...]] = nothing_else) -> Task | None:
        """Execute the attempt and record its end. Returns what the answer says is next; None where it was lost.

        ``kinds`` is asked in the end what a runner of a pool has room for then. Cancelling this ends the execution, and
        records nothing.
        """
        _log.info("begun", node=task.node, attempt=task.attempt)
        execution = asyncio.ensure_future(self.execute(task))
        keeping = asyncio.create_task(self._keep(task, execution))
        # Without heartbeats the attempt is another's in a moment.
        keeping.add_done_callback(lambda _: execution.cancel())
        try:
            await asyncio.wait([execution])
            if keeping.done():
                _log.warning("given up", node=task.node, attempt=task.attempt, why="it is not this runner's any more")
                return None
            result = STOPPED if execution.cancelled() else execution.result()
            if (printed := self.printed(task)) is not None:
                result = result.model_copy(update={"printed": printed})
            # The lease is kept until the end is recorded.
            room = kinds()
            following = await patiently(
                lambda: self.queue.complete(task, result, room), sleep=self.sleep, patience=PATIENCE_SECONDS
            )
        except NotOurs as error:
            _log.warning("not recorded, or recorded before", node=task.node, attempt=task.attempt, why=str(error))
            return None
        finally:
            if not execution.done():
                # While what is cancelled takes its time to end, it stays this runner's.
                execution.cancel()
                await asyncio.gather(execution, return_exceptions=True)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            self.printed(task)
        _log.info("ended", node=task.node, attempt=task.attempt, succeeded=result.succeeded, reason=result.reason)
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
