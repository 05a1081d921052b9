"""What happens by the clock: schedules fire, overdue runs end, what waited starts, days are added up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from headgate.domain.audit_keys import SigningKeys
from headgate.engine.audit_log import MOST_SIGNED
from headgate.engine.engine import Engine
from headgate.reconcile.chaining import Chainer
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.loops import forever
from headgate.reconcile.stops import Stops

PARTITION_SECONDS = 3600.0
CHANGES_SECONDS = 600.0
DELIVERIES_SECONDS = 3600.0
SIGNING_SECONDS = 60.0
PRICES_SECONDS = 3600.0
ANALYTICS_SECONDS = 30.0
RECOMMENDATIONS_SECONDS = 3600.0


class Timekeeper:
    """Drives the engine by the clock."""

    def __init__(
        self,
        engine: Engine,
        effects: EffectHandler,
        enqueue: Callable[[Key], None],
        registry: CollectorRegistry,
        *,
        wall: Callable[[], datetime],
        signing: SigningKeys | None = None,
    ) -> None:
        """``signing`` are the keys by which heads of audit logs are signed; none are without."""
        self._engine = engine
        self._effects = effects
        self._enqueue = enqueue
        self._wall = wall
        self._signing = signing
        self._ahead = Gauge(
            "headgate_partitions_ahead",
            "Months after the present one that have all partitions; -1 where the present one has not.",
            registry=registry,
        )
        self._signed = Gauge(
            "headgate_audit_signed_timestamp_seconds",
            "When no head of an audit log was without a signature last; 0 without signing keys.",
            registry=registry,
        )

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
            if self._signing is not None:
                group.create_task(forever("audit", self._sign, net_seconds=SIGNING_SECONDS))
            group.create_task(forever("prices", self._keep_prices, net_seconds=PRICES_SECONDS))
            group.create_task(forever("recommendations", self._recommend, net_seconds=RECOMMENDATIONS_SECONDS))
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
        try:
            await self._engine.ensure_partitions(self._wall())
        finally:
            # Also where none could be made: then it goes down month by month, and somebody has to hear of it.
            self._ahead.set(await self._engine.partitions_ahead(self._wall()))
        return None

    async def _sign(self) -> datetime | None:
        now = self._wall()
        more = self._signing is not None and await self._engine.audit.sign(self._signing) == MOST_SIGNED
        if not more:
            self._signed.set(now.timestamp())
        return now if more else None

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

    async def _recommend(self) -> datetime | None:
        """Look after workspaces that were not looked after today, a few at once."""
        return self._wall() if await self._engine.recommendations.make(self._wall()) else None

    async def _fold(self) -> datetime | None:
        """Add to its days what ended, a bounded number at once."""
        return self._wall() if await self._engine.analytics.fold() else None
