"""What follows from the ends of runs, and the runs that nodes call: as soon as this process hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from headgate.engine.engine import Engine
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.loops import forever

PACE_SECONDS = 0.05
"""Between two looks: most runs have nobody who waits for their end, and to look costs as much as a step of one."""


class Chainer:
    """Drives the engine when a run ended, or when there is something to call."""

    def __init__(
        self,
        engine: Engine,
        effects: EffectHandler,
        enqueue: Callable[[Key], None],
        *,
        wall: Callable[[], datetime],
        pace_seconds: float = PACE_SECONDS,
    ) -> None:
        self._engine = engine
        self._effects = effects
        self._enqueue = enqueue
        self._wall = wall
        self._pace_seconds = pace_seconds

    async def run(self) -> None:
        """Go on for ever. The poll below the alarm finds what other processes ended, and what a crash left."""
        await forever("chaining", self._once, self._effects.chain, first=self._take_over)

    async def _take_over(self) -> None:
        # Only the replica that leads chains, and this one has just begun to.
        await self._engine.take_over_chaining(self._wall())

    async def _once(self) -> datetime | None:
        chained = await self._engine.chain_runs(self._wall())
        await self._effects.handle(chained.effects)
        for namespace, name in chained.workflows:
            self._enqueue(Key(Topic.WORKFLOW, name, namespace))
        # The first of many is acted on at once, and what comes meanwhile is acted on together.
        await asyncio.sleep(self._pace_seconds)
        return chained.next_due
