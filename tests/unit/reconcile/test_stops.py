from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.domain.task import TaskRef
from headgate.engine.run_metrics import RunMetrics
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.stops import Stops
from headgate.reconcile.timekeeping import Timekeeper
from headgate.reconcile.workloads import Workloads
from headgate.store.errors import DatabaseUnavailable
from tests.support.waiting import eventually
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeDeliveries, FakeEngine
from tests.workload_builders import a_task


class Stopping(FakeEngine):
    """An engine that tells which attempts are to end."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping: tuple[TaskRef, ...] = ()

    async def stopping_jobs(self) -> tuple[TaskRef, ...]:
        if self.failures:
            raise self.failures.pop(0)
        return self.stopping


@pytest.fixture
def engine() -> Stopping:
    return Stopping()


@pytest.fixture
def effects() -> EffectHandler:
    workloads = Workloads(FakeKube(), Cache(), ttl_seconds=60)
    return EffectHandler(
        workloads,
        lambda _key: None,
        RunMetrics(CollectorRegistry(), lambda _: "acme"),
        later=lambda _key, _seconds: None,
    )


async def test_what_was_asked_to_end_elsewhere_is_told_of_once(engine: Stopping, effects: EffectHandler) -> None:
    ref = a_task().ref
    stops = Stops(engine, effects)
    await stops.once()
    assert not effects.is_stopping(ref)
    assert not effects.chain.is_set()

    engine.stopping = (ref,)
    await stops.once()
    assert effects.is_stopping(ref)
    effects.chain.clear()

    await stops.once()
    assert not effects.chain.is_set(), "it is no news"
    engine.stopping = (ref, replace(ref, node="other"))
    await stops.once()
    assert effects.chain.is_set()


async def test_it_is_told_of_later_where_postgres_was_away(engine: Stopping, effects: EffectHandler) -> None:
    engine.stopping = (a_task().ref,)
    engine.fail(DatabaseUnavailable("away"))
    stops = Stops(engine, effects)

    with pytest.raises(DatabaseUnavailable):
        await stops.once()
    await stops.once()

    assert effects.is_stopping(a_task().ref)


async def test_whoever_keeps_time_looks(engine: Stopping, effects: EffectHandler) -> None:
    engine.stopping = (a_task().ref,)
    timekeeper = Timekeeper(engine, effects, lambda _key: None, wall=lambda: datetime.now(UTC))

    keeping = asyncio.create_task(timekeeper.run())

    async def told() -> bool:
        return effects.is_stopping(a_task().ref)

    await eventually(told, every=0.01, what="that the attempt is told of")
    keeping.cancel()


async def test_whoever_keeps_time_forgets_old_deliveries_until_there_are_no_more(
    engine: Stopping, effects: EffectHandler
) -> None:
    now = datetime.now(UTC)
    assert isinstance(engine.deliveries, FakeDeliveries)
    engine.deliveries.more = 2
    keeping = asyncio.create_task(Timekeeper(engine, effects, lambda _key: None, wall=lambda: now).run())

    async def forgotten() -> bool:
        return engine.told.count(("forget", now)) == 3

    await eventually(forgotten, every=0.01, what="that deliveries are forgotten")
    keeping.cancel()
