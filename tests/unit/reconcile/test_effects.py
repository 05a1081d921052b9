from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from headgate.api.workflow_run import RunPhase
from headgate.cluster.cache import Cache
from headgate.cluster.resources import JOBS
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Effects, FinishedRun
from headgate.reconcile.effects import REMEMBERED, EffectHandler
from headgate.reconcile.keys import Key, Topic, key_for
from headgate.reconcile.workloads import Workloads
from tests.unit.cluster.fake_kube import FakeKube
from tests.workload_builders import RUN_ID, a_job, a_task

MIRROR = Key(Topic.RUN, "nightly-1", "acme")


class World:
    """A handler of effects over a cache, and the keys that it enqueued."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.cache, self.kube, self.registry = Cache(), FakeKube(), CollectorRegistry()
        workloads = Workloads(self.kube, self.cache, ttl_seconds=60)
        metrics = RunMetrics(self.registry, lambda _: "acme")
        self.later: list[tuple[Key, float]] = []
        self.effects = EffectHandler(
            workloads, self.keys.append, metrics, later=lambda key, seconds: self.later.append((key, seconds))
        )


async def test_where_something_was_queued_the_dispatcher_is_woken() -> None:
    world = World()

    await world.effects.handle(Effects())
    assert not world.effects.work.is_set()

    await world.effects.handle(Effects(tasks_queued=True))
    assert world.effects.work.is_set()


@pytest.mark.parametrize(
    "effects",
    [
        Effects(to_chain=True),
        Effects() | Effects(to_chain=True) | Effects(),
        Effects(stopping=(a_task().ref,)),
    ],
)
async def test_only_where_a_call_or_an_end_may_be_due_or_something_is_to_end_the_chainer_is_woken(
    effects: Effects,
) -> None:
    world = World()
    ended = FinishedRun(RUN_ID, "acme", RunPhase.SUCCEEDED, timedelta(seconds=1))

    await world.effects.handle(Effects(runs=frozenset([RUN_ID]), tasks_queued=True, finished=(ended,)))
    assert not world.effects.chain.is_set()

    await world.effects.handle(effects)
    assert world.effects.chain.is_set()


async def test_an_attempt_that_has_merely_started_is_looked_at_at_once_where_few_runs_are_open() -> None:
    world = World()
    world.effects.mirror(RUN_ID, MIRROR)

    await world.effects.handle(Effects(runs=frozenset([RUN_ID]), calm=frozenset([RUN_ID])))

    assert (world.keys, world.later) == ([MIRROR], [])


async def test_in_a_crowd_it_waits_and_what_is_more_than_a_start_does_not() -> None:
    world = World()
    for number in range(100):
        world.effects.mirror(UUID(int=number), Key(Topic.RUN, f"run-{number}", "acme"))
    started, done = UUID(int=3), UUID(int=4)

    await world.effects.handle(Effects(runs=frozenset([started, done]), calm=frozenset([started])))

    assert world.keys == [Key(Topic.RUN, "run-4", "acme")]
    assert world.later == [(Key(Topic.RUN, "run-3", "acme"), 10.0)]


def test_a_run_is_calm_only_where_every_change_of_it_is() -> None:
    calm = Effects(runs=frozenset([RUN_ID]), calm=frozenset([RUN_ID]))

    assert (calm | calm).calm == {RUN_ID}
    assert (calm | Effects(runs=frozenset([RUN_ID]))).calm == frozenset()
    assert (Effects(runs=frozenset([RUN_ID])) | calm).calm == frozenset()


async def test_a_run_that_changed_is_mirrored() -> None:
    world = World()
    world.effects.mirror(RUN_ID, MIRROR)

    await world.effects.handle(Effects(runs=frozenset([RUN_ID, UUID(int=7)])))

    assert world.keys == [MIRROR]


async def test_a_run_whose_mirror_says_the_end_is_not() -> None:
    world = World()
    world.effects.mirror(RUN_ID, MIRROR)
    world.effects.forget(RUN_ID)
    world.effects.forget(RUN_ID)

    await world.effects.handle(Effects(runs=frozenset([RUN_ID])))

    assert world.keys == []


async def test_a_run_that_ended_is_counted() -> None:
    world = World()
    ended = FinishedRun(RUN_ID, "acme", RunPhase.FAILED, timedelta(seconds=72))

    await world.effects.handle(Effects(finished=(ended,)))

    labels = {"workspace": "acme", "phase": "Failed"}
    assert world.registry.get_sample_value("headgate_runs_finished_total", labels) == 1


async def test_the_job_of_a_cancelled_attempt_is_looked_at_and_others_are_not() -> None:
    world = World()
    for node in ("extract", "report"):
        made = world.kube.put(JOBS, a_job(a_task(node)).manifest())
        world.cache.upsert(JOBS, made)
    ref = a_task("extract").ref

    await world.effects.handle(Effects(cancelled=(ref,)))

    name = a_job(a_task("extract")).manifest()["metadata"]["name"]
    assert world.keys == [key_for(Topic.JOB, JOBS.key(name, "acme"))]
    assert world.effects.is_cancelled(ref)
    assert not world.effects.is_cancelled(a_task("report").ref)


async def test_it_is_remembered_where_its_job_is_not_known_yet_but_not_for_ever() -> None:
    world = World()

    await world.effects.handle(Effects(cancelled=(a_task("extract").ref,)))
    assert world.effects.is_cancelled(a_task("extract").ref)

    others = tuple(a_task("extract", run_id=UUID(int=number)).ref for number in range(REMEMBERED))
    await world.effects.handle(Effects(cancelled=others))
    assert not world.effects.is_cancelled(a_task("extract").ref)
    assert world.effects.is_cancelled(others[0])


def test_open_runs_are_counted_by_namespace() -> None:
    world, other = World(), UUID(int=7)

    world.effects.mirror(RUN_ID, MIRROR)
    world.effects.mirror(RUN_ID, MIRROR)
    world.effects.mirror(other, MIRROR)
    assert world.effects.open_in("acme") == 2
    assert world.effects.open_in("globex") == 0

    world.effects.forget(RUN_ID)
    world.effects.forget(RUN_ID)
    assert world.effects.open_in("acme") == 1
