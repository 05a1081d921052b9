from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.cluster.errors import Unreachable
from headgate.cluster.resources import JOBS, POD_METRICS, PODS
from headgate.desired.keys import NAMESPACE
from headgate.domain.amounts import Amount
from headgate.domain.cost import Footprint
from headgate.domain.measured import Measured
from headgate.domain.task import Outcome, Waiting
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Effects
from headgate.objects.object_store import ObjectStore
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.jobs import JobReconciler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.pod_use import PodUse
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.warnings import Warnings
from headgate.reconcile.workloads import Workloads
from headgate.store.errors import DatabaseUnavailable
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine
from tests.unit.reconcile.letting import a_let_go
from tests.workload_builders import JobBuilder, PodBuilder, a_job, a_pod, a_task, a_warning, an_owned_namespace

CREATED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STARTED = CREATED + timedelta(seconds=3)
REF = a_task().ref
KEY = Key(Topic.JOB, a_job().manifest()["metadata"]["name"], "acme")
IMAGE = Waiting("ImagePull", "no such image", "extract")


class World:
    """A reconciler of Jobs over a cluster, a cache and an engine."""

    def __init__(self) -> None:
        self.kube, self.cache, self.engine = FakeKube(), Cache(), FakeEngine()
        self.later: list[tuple[Key, float]] = []
        self.keys: list[Key] = []
        self.now = CREATED + timedelta(seconds=1)
        workloads = Workloads(self.kube, self.cache, ttl_seconds=60)
        self.let_go = a_let_go(self.kube, self.cache, workloads, self.engine, wall=lambda: self.now)
        metrics = RunMetrics(CollectorRegistry(), lambda _: None)
        self.effects = EffectHandler(workloads, self.keys.append, metrics, later=lambda _key, _seconds: None)
        self.logs = LogKeeper(
            self.kube,
            self.cache,
            self.engine,
            ObjectStore("memory://"),
            workloads,
            self.let_go,
            CollectorRegistry(),
            limit=1024,
            monotonic=time.monotonic,
        )
        self.warnings = Warnings(self.kube, self.cache, self.keys.append)
        self.use = PodUse(self.kube, self.cache, wall=lambda: self.now)
        self.reconciler = JobReconciler(
            self.cache,
            self.engine,
            workloads,
            self.let_go,
            self.effects,
            self.logs,
            self.warnings,
            self.use,
            requeue=lambda key, seconds: self.later.append((key, seconds)),
            wall=lambda: self.now,
        )

    def sees(self, job: JobBuilder, *pods: PodBuilder) -> None:
        """Job and pods are so in the cluster, and the cache knows."""
        self.cache.upsert(JOBS, self.kube.put(JOBS, job.manifest()))
        for pod in pods:
            self.cache.upsert(PODS, self.kube.put(PODS, pod.manifest()))

    async def reconcile(self) -> list[tuple[Any, ...]]:
        """What the engine is told."""
        self.engine.told.clear()
        await self.reconciler.reconcile(KEY)
        return [told for told in self.engine.told if told[0] != "settled"]

    @property
    def is_let_go(self) -> bool:
        return self.let_go.has(KEY.object_key, self.kube.objects[KEY.object_key])


class TestFinished:
    async def test_the_end_is_recorded_and_the_job_let_go_once_its_log_is_kept(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().succeeded('{"rows": 12}'))

        ((told, ref, outcome),) = await world.reconcile()

        assert (told, ref, outcome.output) == ("complete", REF, {"rows": 12})
        assert world.kube.requests == []
        assert await world.reconcile() == []
        await world.logs.once(KEY.object_key)
        assert world.is_let_go
        assert world.kube.verbs() == []

    @pytest.mark.parametrize("overdue", [False, True])
    async def test_what_the_pod_used_and_held_is_told_with_it(self, overdue: bool) -> None:
        world = World()
        running = a_pod().running()
        world.sees(a_job())
        held = {"containers": [{"resources": {"requests": {"cpu": "1"}}}]}
        world.cache.upsert(PODS, world.kube.put(PODS, {**running.manifest(), "spec": held}))
        world.now = STARTED + timedelta(seconds=20)
        metrics = {
            "metadata": {key: running.manifest()["metadata"][key] for key in ("name", "namespace", "labels")},
            "timestamp": world.now.isoformat(),
            "window": "15s",
            "containers": [{"name": "main", "usage": {"cpu": "2", "memory": "1Gi"}}],
        }
        world.kube.put(POD_METRICS, metrics)
        await world.use.once()
        job = a_job().failed("DeadlineExceeded", "too long") if overdue else a_job()
        world.sees(job, *([] if overdue else [a_pod().succeeded()]))

        ((_, _, outcome),) = await world.reconcile()

        assert outcome.used == Measured(Amount.of(2), Amount.of(2**30))
        assert outcome.footprint == Footprint(Amount.of(1))

    async def test_in_this_order_so_that_no_result_is_lost(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().succeeded())
        world.engine.fail(DatabaseUnavailable("away"))

        with pytest.raises(DatabaseUnavailable):
            await world.reconcile()

        assert world.kube.verbs() == []
        assert [told[0] for told in await world.reconcile()] == ["complete"]

    async def test_what_follows_is_done(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().succeeded())
        world.engine.effects = Effects(tasks_queued=True)

        await world.reconcile()

        assert world.effects.work.is_set()

    async def test_a_job_that_was_let_go_costs_nothing(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().succeeded())
        await world.reconcile()
        await world.logs.once(KEY.object_key)
        world.kube.requests.clear()
        world.sees(a_job(version=11).complete())

        assert await world.reconcile() == []
        assert (world.kube.requests, world.engine.told) == ([], [])

    async def test_nor_does_one_that_an_earlier_release_let_go(self) -> None:
        world = World()
        world.sees(a_job().complete().let_go(), a_pod().succeeded())

        assert await world.reconcile() == []
        assert (world.kube.requests, world.engine.told) == ([], [])

    async def test_one_that_was_let_go_before_this_process_began_is_asked_about_and_left(self) -> None:
        world = World()
        world.sees(a_job().complete(), a_pod().succeeded())
        world.engine.settled = frozenset({REF})

        assert await world.reconcile() == []
        assert world.is_let_go
        assert world.engine.told == [("settled", REF.workspace_id, (REF,), True)]
        assert world.kube.requests == []

    async def test_one_whose_log_is_not_known_to_be_kept_is_not_let_go_yet(self) -> None:
        world = World()
        world.sees(a_job().complete(), a_pod().succeeded())

        assert [told[0] for told in await world.reconcile()] == ["complete"]
        assert not world.is_let_go
        assert world.logs.keeps(KEY.object_key, "job-uid")

    async def test_a_pod_that_the_cache_has_not_seen_is_asked_for(self) -> None:
        world = World()
        world.sees(a_job().complete())
        world.kube.put(PODS, a_pod().succeeded("7").manifest())

        ((_, _, outcome),) = await world.reconcile()

        assert outcome.output == 7

    @pytest.mark.parametrize("stale", [a_pod(), a_pod().running()], ids=["pending", "running"])
    async def test_so_is_one_that_the_cache_takes_to_be_under_way_yet(self, stale: PodBuilder) -> None:
        world = World()
        world.sees(a_job().complete(), stale)
        world.kube.put(PODS, a_pod(version=99).succeeded("7").manifest())

        ((_, _, outcome),) = await world.reconcile()

        assert outcome.output == 7

    async def test_the_reason_of_a_failure_is_not_lost_that_way_either(self) -> None:
        world = World()
        world.sees(a_job().failed(), a_pod().running())
        world.kube.put(PODS, a_pod(version=99).failed(3).manifest())

        ((_, _, outcome),) = await world.reconcile()

        assert (outcome.reason, outcome.exit_code) == ("ExitCode", 3)

    async def test_while_nothing_has_ended_nothing_is_asked_for(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().running())

        await world.reconcile()

        assert world.kube.requests == []


class TestRunning:
    async def test_is_told_once(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().running())

        assert await world.reconcile() == [("running", REF, STARTED)]
        assert await world.reconcile() == []

    async def test_is_told_again_where_it_could_not_be(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().running())
        world.engine.fail(DatabaseUnavailable("away"))

        with pytest.raises(DatabaseUnavailable):
            await world.reconcile()

        assert await world.reconcile() == [("running", REF, STARTED)]

    async def test_without_a_time_it_is_now(self) -> None:
        world = World()
        pod = a_pod().running().manifest()
        del pod["status"]["startTime"], pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        world.sees(a_job())
        world.cache.upsert(PODS, world.kube.put(PODS, pod))

        assert await world.reconcile() == [("running", REF, world.now)]


class TestStarting:
    async def test_what_the_status_says_is_told_once(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().waiting("ErrImagePull", "no such image"))

        assert await world.reconcile() == [("waiting", REF, IMAGE)]
        assert await world.reconcile() == []
        assert world.kube.requests == []

    async def test_and_told_again_when_it_changes(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().waiting("ErrImagePull", "no such image"))
        await world.reconcile()
        world.sees(a_job(), a_pod(version=99).unschedulable("no node"))

        assert await world.reconcile() == [("waiting", REF, Waiting("Unschedulable", "no node", "extract"))]

    async def test_in_the_first_moments_nobody_is_asked_why(self) -> None:
        world = World()
        world.sees(a_job())
        world.now = CREATED + timedelta(seconds=0.5)

        assert await world.reconcile() == []
        assert world.kube.requests == []
        assert world.later == [(KEY, 1.5)]

    async def test_then_it_is_told_what_kubernetes_warns_of(self) -> None:
        world = World()
        world.cache.upsert(NAMESPACE, an_owned_namespace("acme"))
        world.sees(a_job(), a_pod())
        world.warnings.take_in(a_warning("FailedMount", 'secret "database" not found', uid="pod-uid"))
        world.now = CREATED + timedelta(seconds=3)

        missing = Waiting("MissingSecret", 'secret "database" not found', "extract")
        assert await world.reconcile() == [("waiting", REF, missing)]
        assert world.kube.requests == []

    async def test_and_asked_again_later_where_there_is_no_warning(self) -> None:
        world = World()
        world.sees(a_job(), a_pod())
        world.now = CREATED + timedelta(seconds=3)

        assert await world.reconcile() == []
        assert world.later == [(KEY, 30)]
        assert world.kube.requests == []

    async def test_a_container_that_takes_long_is_told_of_once_it_does(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().waiting("ContainerCreating").ready_to_start("2026-03-01T12:00:01Z"))
        world.now = CREATED + timedelta(seconds=2.5)

        assert await world.reconcile() == []
        assert world.later == [(KEY, 1.5)]

        world.now = CREATED + timedelta(seconds=4)
        ((_, _, told),) = await world.reconcile()
        assert (told.reason, told.node) == ("ContainerCreating", "extract")
        assert await world.reconcile() == []
        assert world.later[1:] == [(KEY, 30)] * 2

    async def test_what_it_waited_for_is_over_when_it_goes_on(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().waiting("ErrImagePull", "no such image"))
        await world.reconcile()
        world.now = CREATED + timedelta(seconds=3)
        world.sees(a_job(), a_pod(version=99).waiting("ContainerCreating"))

        assert await world.reconcile() == [("waiting", REF, None)]
        assert await world.reconcile() == []


class TestCancelled:
    async def test_its_job_is_ended(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().running())
        await world.effects.handle(Effects(cancelled=(REF,)))

        assert await world.reconcile() == []
        assert world.kube.verbs() == [f"delete {KEY.object_key}"]

    async def test_one_that_is_asked_to_end_has_ended_when_nothing_is_left_of_it(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().running())
        await world.effects.handle(Effects(stopping=(REF,)))

        assert await world.reconcile() == []
        assert world.kube.foreground == [KEY.object_key]
        await world.reconciler.deleted(a_job().manifest())
        assert [(told, ref) for told, ref, *_ in world.engine.told] == [("complete", REF)]

    async def test_again_and_again_until_it_is(self) -> None:
        world = World()
        world.sees(a_job())
        await world.effects.handle(Effects(cancelled=(REF,)))
        world.kube.fail("delete", Unreachable("away"))

        with pytest.raises(Unreachable):
            await world.reconcile()
        await world.reconcile()

        assert KEY.object_key not in world.kube.objects

    async def test_also_where_it_is_seen_only_afterwards(self) -> None:
        world = World()
        await world.effects.handle(Effects(cancelled=(REF,)))
        world.sees(a_job())

        await world.reconcile()

        assert KEY.object_key not in world.kube.objects

    async def test_one_that_has_ended_keeps_its_log(self) -> None:
        world = World()
        world.sees(a_job().complete(), a_pod().succeeded())
        await world.effects.handle(Effects(cancelled=(REF,)))

        await world.reconcile()
        await world.logs.once(KEY.object_key)

        assert world.is_let_go


class TestDeleted:
    async def test_its_attempt_has_failed(self) -> None:
        world = World()

        await world.reconciler.deleted(a_job().manifest())

        message = f"Job {KEY.name} was deleted before it ended"
        assert world.engine.told == [("complete", REF, Outcome(succeeded=False, reason="JobDeleted", message=message))]

    async def test_unless_its_end_was_recorded(self) -> None:
        world = World()

        await world.reconciler.deleted(a_job().complete().let_go().manifest())

        assert world.engine.told == []

    async def test_or_it_was_let_go_by_this_process_which_forgets_it_then(self) -> None:
        world = World()
        job = a_job().complete().manifest()
        world.let_go.note(KEY.object_key, job)

        await world.reconciler.deleted(job)

        assert world.engine.told == []
        assert not world.let_go.has(KEY.object_key, job)

    async def test_or_is_known_and_could_not_be_recorded_yet(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().succeeded("7").deleting())

        await world.reconciler.deleted(a_job().complete().manifest())

        ((_, _, outcome),) = world.engine.told
        assert (outcome.succeeded, outcome.output) == (True, 7)

    async def test_one_that_is_going_is_waited_for(self) -> None:
        world = World()
        world.sees(a_job().deleting(), a_pod().failed(143))

        assert await world.reconcile() == []

    async def test_what_was_told_of_it_is_forgotten(self) -> None:
        world = World()
        world.sees(a_job(), a_pod().running())
        await world.reconcile()

        await world.reconciler.deleted(a_job().manifest())

        assert world.reconciler._reported == {}


async def test_a_job_that_is_not_there_costs_nothing() -> None:
    world = World()

    assert await world.reconcile() == []
    assert world.kube.requests == []


async def test_a_job_that_is_of_no_attempt_is_left_alone() -> None:
    world = World()
    stray = a_job().manifest()
    del stray["metadata"]["annotations"]
    world.cache.upsert(JOBS, stray)

    assert await world.reconcile() == []
    await world.reconciler.deleted(stray)
    assert world.engine.told == []
