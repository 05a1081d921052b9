from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Effects, Fired
from headgate.reconcile.chaining import PACE_SECONDS, Chainer
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.loops import NET_SECONDS
from headgate.reconcile.workloads import Workloads
from headgate.store.errors import DatabaseUnavailable
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.cluster.virtual_time import in_virtual_time, settle
from tests.unit.reconcile.fake_engine import FakeEngine
from tests.workload_builders import RUN_ID

NOW = datetime(2026, 3, 10, tzinfo=UTC)


class World:
    """A chainer, the engine that it drives, and the keys that it enqueued."""

    def __init__(self) -> None:
        self.engine, self.keys = FakeEngine(), list[Key]()
        workloads = Workloads(FakeKube(), Cache(), ttl_seconds=60)
        self.effects = EffectHandler(
            workloads,
            self.keys.append,
            RunMetrics(CollectorRegistry(), lambda _: "acme"),
            later=lambda _key, _seconds: None,
        )

    @property
    def looks(self) -> int:
        """How often it looked what is due."""
        return self.engine.told.count(("chain", NOW))

    @asynccontextmanager
    async def chaining(self) -> AsyncIterator[None]:
        task = asyncio.create_task(Chainer(self.engine, self.effects, self.keys.append, wall=lambda: NOW).run())
        await settle()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


@in_virtual_time
async def test_what_others_left_is_taken_over_once_before_all_else() -> None:
    world = World()
    world.engine.fail(DatabaseUnavailable("away"))
    async with world.chaining():
        await asyncio.sleep(3 * NET_SECONDS)

    assert world.engine.told[0] == ("take over", NOW)
    assert world.engine.told.count(("take over", NOW)) == 1
    assert world.looks >= 1


@in_virtual_time
async def test_what_ends_is_acted_on_at_once() -> None:
    world = World()
    async with world.chaining():
        await asyncio.sleep(1)
        before = world.looks

        await world.effects.handle(Effects(to_chain=True))
        await settle()

        assert world.looks == before + 1
        assert world.engine.told[-1] == ("chain", NOW)


@in_virtual_time
async def test_many_ends_are_acted_on_together() -> None:
    world = World()
    async with world.chaining():
        await asyncio.sleep(1)
        before = world.looks

        for _ in range(100):
            await world.effects.handle(Effects(to_chain=True))
            await asyncio.sleep(PACE_SECONDS / 50)

        assert world.looks - before <= 4
        await asyncio.sleep(1)
        assert not world.effects.chain.is_set()


@in_virtual_time
async def test_what_others_ended_is_found_without_being_told_even_after_trouble() -> None:
    world = World()
    world.engine.fail(DatabaseUnavailable("gone"), ValueError("broken"))
    async with world.chaining():
        await asyncio.sleep(4 * NET_SECONDS)
        assert world.looks >= 2


@in_virtual_time
async def test_what_was_set_off_is_claimed_and_workflows_whose_event_made_no_run_say_so() -> None:
    world = World()
    changed = Effects(frozenset([RUN_ID]), tasks_queued=True)
    world.engine.chained = Fired(changed, frozenset({("acme", "report")}), None)

    async with world.chaining():
        assert world.effects.work.is_set()
        assert world.keys == [Key(Topic.WORKFLOW, "report", "acme")]
