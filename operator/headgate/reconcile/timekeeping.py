"""What happens by the clock: schedules fire, overdue runs end, what waited starts, days are added up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from headgate.engine.engine import Engine
from headgate.reconcile.chaining import Chainer
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.loops import forever
from headgate.reconcile.stops import Stops

PARTITION_SECONDS = 3600.0
CHANGES_SECONDS = 600.0
DELIVERIES_SECONDS = 3600.0
PRICES_SECONDS = 3600.0
ANALYTICS_SECONDS = 30.0


class Timekeeper:
    """Drives the engine by the clock."""

    def __init__(
        self, engine: Engine, effects: EffectHandler, enqueue: Callable[[Key], None], *, wall: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._effects = effects
        self._enqueue = enqueue
        self._wall = wall

    async def run(self) -> None:
        """Keep time for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(forever("schedules", self._fire))
            group.create_task(forever("overdue", self._expire))
            group.create_task(Chainer(self._engine, self._effects, self._enqueue, wall=self._wall).run())
            group.create_task(Stops(self._engine, self._effects).run())
            group.create_task(forever("changes", self._forget_changes, net_seconds=CHANGES_SECONDS))
            group.create_task(forever("partitions", self._make_partitions, net_seconds=PARTITION_SECONDS))
            group.create_task(forever("deliveries", self._forget_deliveries, net_seconds=DELIVERIES_SECONDS))
            group.create_task(forever("prices", self._keep_prices, net_seconds=PRICES_SECONDS))
            group.create_task(forever("analytics", self._fold, net_seconds=ANALYTICS_SECONDS))

    async def _fire(self) -> datetime | None:
        fired = await self._engine.fire_due(self._wall())
        await self._effects.handle(fired.effects)
        for namespace, name in fired.workflows:
            self._enqueue(Key(Topic.WORKFLOW, name, namespace))
        return fired.next_due

    async def _expire(self) -> datetime | None:
        await self._effects.handle(await self._engine.control.expire_runs(self._wall()))
        await self._effects.handle(await self._engine.control.expire_approvals(self._wall()))
        await self._effects.handle(await self._engine.start_all_pending())
        return None

    async def _make_partitions(self) -> datetime | None:
        await self._engine.ensure_partitions(self._wall())
        return None

    async def _forget_changes(self) -> datetime | None:
        await self._engine.changes.forget()
        return None

    async def _forget_deliveries(self) -> datetime | None:
        """Delete what webhooks delivered long ago, a bounded number at once."""
        now = self._wall()
        _, more = await self._engine.deliveries.forget_old(now)
        return now if more else None

    async def _keep_prices(self) -> datetime | None:
        await self._engine.analytics.keep_prices()
        return None

    async def _fold(self) -> datetime | None:
        """Add to its days what ended, a bounded number at once."""
        return self._wall() if await self._engine.analytics.fold() else None
