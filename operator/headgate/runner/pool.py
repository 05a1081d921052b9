"""A runner of a pool: claims of any run of its namespace, side by side, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from headgate.domain.runner_protocol import Kind, Printed, Result, Task
from headgate.runner.client import GatewayRefused, GatewayUnavailable, NotOurs
from headgate.runner.keeper import Keeper, Recorder, nothing_printed

_PAUSE_SECONDS = 1.0
"""Until a gateway that did not answer is asked again."""


class Queue(Recorder, Protocol):
    """Where attempts come from; see ``Gateway``."""

    async def claim_of_any(self, kinds: tuple[Kind, ...], wait_seconds: float) -> Task | None:
        """The next attempt, waited for."""
        ...

    async def give_back(self, task: Task) -> None:
        """Let another runner begin it."""
        ...


@dataclass
class Lane:
    """Room for attempts of some kinds."""

    kinds: tuple[Kind, ...]
    most: int
    """Attempts at the same time at most."""
    ready: Callable[[], Awaitable[None]]
    """Returns when one could be begun at all."""
    _taken: int = 0
    _left: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> bool:
        """Take a place, where there is one."""
        if self._taken >= self.most:
            return False
        self._taken += 1
        return True

    def leave(self) -> None:
        """Give a place back."""
        self._taken -= 1
        self._left.set()

    async def place(self) -> None:
        """Take a place as soon as there is one, and something could be begun."""
        await self.ready()
        while not self.take():
            self._left.clear()
            await self._left.wait()


@dataclass
class Pool:
    """Works off what there is.

    Scripts are executed one at a time, so that no two are ever in each other's sight; calls, of which nothing is kept
    but in the runner's own memory, several at a time.
    """

    queue: Queue
    execute: Callable[[Task], Awaitable[Result]]
    lanes: tuple[Lane, ...]
    wait_seconds: float
    """How long one request waits for something to do."""
    drain_seconds: float
    """How long attempts may go on once the runner is told to end."""
    shown: Callable[[str], object]
    """Is told the name of what moves."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    printed: Callable[[Task], Printed | None] = nothing_printed
    """Gives what an attempt printed, once."""
    _busy: set[asyncio.Task[None]] = field(default_factory=set)
    _draining: asyncio.Event = field(default_factory=asyncio.Event)

    def drain(self) -> None:
        """Take up nothing more, and let ``run`` return when nothing is under way."""
        self._draining.set()

    async def run(self) -> None:
        """Return when it was told to, and all has ended or was given back. Raises ``GatewayRefused``."""
        asking = [asyncio.create_task(self._ask(lane)) for lane in self.lanes]
        draining = asyncio.create_task(self._draining.wait())
        try:
            done, _ = await asyncio.wait([*asking, draining], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {draining}:
                task.result()
            # A request that waits is answered soon, and what it is given is given back.
            await asyncio.gather(*asking)
            if self._busy:
                await asyncio.wait(list(self._busy), timeout=self.drain_seconds)
        finally:
            for task in (*asking, draining):
                task.cancel()
            left = list(self._busy)
            for worker in left:
                worker.cancel()
            await asyncio.gather(*asking, draining, *left, return_exceptions=True)

    async def _ask(self, lane: Lane) -> None:
        name = "+".join(lane.kinds)
        while not self._draining.is_set():
            self.shown(name)
            if not await self._has_place(lane):
                continue
            task = None
            try:
                task = await self.queue.claim_of_any(lane.kinds, self.wait_seconds)
            except GatewayUnavailable as error:
                structlog.get_logger("headgate.runner").warning("will ask again", error=str(error))
                await self.sleep(_PAUSE_SECONDS)
            finally:
                if task is None:
                    lane.leave()
            if task is not None:
                worker = asyncio.create_task(self._chain(task, lane))
                self._busy.add(worker)
                worker.add_done_callback(self._busy.discard)

    async def _has_place(self, lane: Lane) -> bool:
        """Whether there was a place in time, which is taken then."""
        try:
            async with asyncio.timeout(self.wait_seconds):
                await lane.place()
        except TimeoutError:
            return False
        return True

    async def _chain(self, task: Task, lane: Lane) -> None:
        """An attempt and, as long as there is one in the answer to its end, the next, in whatever lane that is."""
        keeper = Keeper(self.queue, self.execute, self.sleep, self.printed)
        places = [lane]

        def room() -> tuple[Kind, ...]:
            if self._draining.is_set():
                return ()
            places.extend(other for other in self.lanes if other is not places[0] and other.take())
            return tuple(kind for place in places for kind in place.kinds)

        try:
            while not self._draining.is_set():
                following = await keeper.see_through(task, room)
                if following is None:
                    return
                task = following
                kept = next(place for place in places if any(kind in task.work for kind in place.kinds))
                for other in places:
                    if other is not kept:
                        other.leave()
                places[:] = [kept]
            await self._give_back(task)
        except asyncio.CancelledError:
            await self._give_back(task)
            raise
        except GatewayUnavailable as error:
            # Its lease ends, and another runner begins it anew.
            structlog.get_logger("headgate.runner").warning("not recorded", node=task.node, error=str(error))
        finally:
            for place in places:
                place.leave()

    async def _give_back(self, task: Task) -> None:
        with contextlib.suppress(NotOurs, GatewayUnavailable, GatewayRefused):
            await self.queue.give_back(task)
