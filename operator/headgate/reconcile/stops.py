"""Ends the Jobs of attempts that somebody else asked to end: what is cancelled through the gateway runs here."""

from __future__ import annotations

from datetime import datetime

from headgate.domain.task import TaskRef
from headgate.engine.engine import Engine
from headgate.engine.types import Effects
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.loops import forever

LOOK_SECONDS = 1.0
"""Between looks at the queue."""


class Stops:
    """Hears of attempts that are to end by looking. Costs one query a look, of an index that is empty most of the time.

    A notification would be lost where the operator is away; what is recorded is there when it comes back.
    """

    def __init__(self, engine: Engine, effects: EffectHandler) -> None:
        self._engine = engine
        self._effects = effects
        self._told: frozenset[TaskRef] = frozenset()

    async def run(self) -> None:
        """Look for ever."""
        await forever("stops", self.once, net_seconds=LOOK_SECONDS)

    async def once(self) -> datetime | None:
        """Look once; each attempt is told of once."""
        found = frozenset(await self._engine.stopping_jobs())
        news = found - self._told
        if news:
            await self._effects.handle(Effects(stopping=tuple(news)))
        self._told = found
        return None
