"""A runner for every run that has work for one."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import JOBS, PODS
from headgate.desired.context import ClusterFacts
from headgate.desired.runner_job import RunnerPods
from headgate.domain.runner_log import FrameWriter
from headgate.domain.runner_task import OpenRunnerTask, runner_job_name
from headgate.domain.step_log import log_path
from headgate.domain.task import TaskRef
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Effects
from headgate.objects.object_store import ObjectStore
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.runner_jobs import RunnerJobs
from headgate.reconcile.runners import Runners
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.workloads import Workloads
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine
from tests.workload_builders import RUN_ID, WORKSPACE_ID

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PODS_OF_RUNNERS = RunnerPods("http://gateway:8000", "headgate:1.0", idle_seconds=5)


def name(number: int) -> str:
    return runner_job_name("nightly", RUN_ID, number)


def a_runner_task(node: str = "call", **members: Any) -> OpenRunnerTask:
    known: dict[str, Any] = {
        "workspace": "acme",
        "namespace": "acme",
        "workflow": "nightly",
        "due_at": NOON,
        "expires_at": NOON + timedelta(hours=1),
        "holder": None,
        "losses": 0,
    }
    return OpenRunnerTask(ref=TaskRef(WORKSPACE_ID, RUN_ID, node, 1), **known | members)


class World:
    """Runners over a cluster, a cache and an engine."""

    def __init__(
        self,
        pods: RunnerPods | None = PODS_OF_RUNNERS,
        *,
        kube: FakeKube | None = None,
        engine: FakeEngine | None = None,
        objects: ObjectStore | None = None,
    ) -> None:
        self.kube, self.cache, self.engine = kube or FakeKube(), Cache(), engine or FakeEngine()
        self.now = NOON
        workloads = Workloads(self.kube, self.cache, ttl_seconds=60)
        self.keys: list[Key] = []
        self.effects = EffectHandler(workloads, self.keys.append, RunMetrics(CollectorRegistry(), lambda _: None))
        self.objects = objects or ObjectStore("memory://")
        self.logs = LogKeeper(
            self.kube,
            self.cache,
            self.engine,
            self.objects,
            workloads,
            CollectorRegistry(),
            limit=1000,
            monotonic=time.monotonic,
        )
        self.jobs = RunnerJobs(
            self.kube,
            self.cache,
            self.engine,
            workloads,
            self.effects,
            lambda: ClusterFacts("headgate-system"),
            self.logs,
            pods=pods,
            wall=self.wall,
        )
        self.runners = Runners(self.engine, self.jobs, self.effects, wall=self.wall)

    def wall(self) -> datetime:
        """No two looks at a clock are at the same time."""
        self.now += timedelta(microseconds=1)
        return self.now

    async def look(self, *tasks: OpenRunnerTask) -> list[tuple[Any, ...]]:
        """Look once at these tasks. Returns what the engine is told."""
        self.engine.told.clear()
        self.engine.runner_tasks = tasks
        await self.runners.once()
        return list(self.engine.told)

    @property
    def made(self) -> list[str]:
        return [verb.rpartition("/")[2] for verb in self.kube.verbs("create")]

    def pod(self, number: int, phase: str, **state: Any) -> None:
        """The pod of a runner is so, and the cache knows."""
        job = self.kube.objects[JOBS.key(name(number), "acme")]
        labels = {**job["metadata"]["labels"], "batch.kubernetes.io/job-name": name(number)}
        metadata = {"name": f"{name(number)}-abcde", "namespace": "acme", "labels": labels}
        status = {"phase": phase, "containerStatuses": [{"name": "main", "state": state}]}
        item = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
        self.cache.upsert(PODS, self.kube.put(PODS, item))

    async def reconcile(self, number: int = 1) -> list[tuple[Any, ...]]:
        self.engine.told.clear()
        await self.jobs.reconcile(Key(Topic.JOB, name(number), "acme"))
        return list(self.engine.told)

    async def keep_log(self, number: int = 1) -> list[tuple[Any, ...]]:
        """Try once to keep the logs of that runner. Returns what the engine is told."""
        self.engine.told.clear()
        await self.logs.once(JOBS.key(name(number), "acme"))
        return list(self.engine.told)

    def printed(self, number: int, *frames: tuple[str, str]) -> None:
        """The runner of that number began nodes of that name, and they printed so."""
        lines: list[str] = []
        writer = FrameWriter(lines.append)
        for node, text in frames:
            writer.begun(RUN_ID, node, 1)
            writer.printed(RUN_ID, node, 1, "stdout", text)
        self.kube.logs[f"{name(number)}-abcde"] = "".join(f"{line}\n" for line in lines).encode()
        self.engine.nodes |= {node for node, _ in frames}

    def restarted(self) -> World:
        """Another operator, with the same cluster and store."""
        other = World(kube=self.kube, engine=self.engine, objects=self.objects)
        for key, item in self.kube.objects.items():
            other.cache.upsert(JOBS if key.kind == JOBS.kind else PODS, item)
        return other

    def is_let_go(self, number: int = 1) -> bool:
        return "ttlSecondsAfterFinished" in self.kube.objects[JOBS.key(name(number), "acme")]["spec"]


async def test_a_run_with_work_gets_one_runner() -> None:
    world = World()

    await world.look(a_runner_task("one"), a_runner_task("two"))
    await world.look(a_runner_task("one", holder="pod/uid"), a_runner_task("two"))

    assert world.made == [name(1)]


async def test_work_that_is_not_due_yet_gets_none() -> None:
    world = World()

    await world.look(a_runner_task(due_at=NOON + timedelta(seconds=30)))

    assert world.made == []


async def test_a_job_that_exists_already_is_taken_for_the_run_s() -> None:
    world = World()
    other = World()
    await other.look(a_runner_task())
    world.kube.put(JOBS, other.kube.objects[JOBS.key(name(1), "acme")])

    await world.look(a_runner_task())
    await world.look(a_runner_task())

    assert world.made == [name(1)]
    assert world.jobs.alive(RUN_ID)


async def test_a_runner_that_ended_well_is_let_go_and_its_successor_has_the_next_number() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})

    told = await world.reconcile()
    await world.keep_log()
    await world.look(a_runner_task("later"))

    assert told == []
    assert world.kube.objects[JOBS.key(name(1), "acme")]["spec"]["ttlSecondsAfterFinished"] == 60
    assert world.made == [name(1), name(2)]


async def test_what_a_dead_runner_held_is_released_before_its_job_is_let_go() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})

    assert await world.reconcile() == [("release", RUN_ID, f"{name(1)}-")]
    assert await world.reconcile() == []


async def test_a_deleted_runner_releases_what_it_held() -> None:
    world = World()
    await world.look(a_runner_task())
    gone = world.kube.vanish(JOBS, name(1), "acme")

    await world.jobs.deleted(gone)

    assert world.engine.told == [("release", RUN_ID, f"{name(1)}-")]


async def test_after_each_loss_the_next_runner_waits_longer() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 1, "reason": "Error"})
    await world.reconcile()

    await world.look(a_runner_task(losses=1))
    assert world.made == [name(1)]
    world.now += timedelta(seconds=2)
    await world.look(a_runner_task(losses=1))

    assert world.made == [name(1), name(2)]


async def test_an_attempt_that_wore_out_runners_fails_and_says_how_the_last_one_ended() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    await world.reconcile()

    [(told, ref, outcome)] = await world.look(a_runner_task(losses=3))

    assert (told, ref.node, outcome.succeeded, outcome.reason) == ("complete", "call", False, "RunnerLost")
    assert "OOMKilled" in outcome.message
    assert world.made == [name(1)]


async def test_an_attempt_ends_with_its_timeout_whoever_holds_it() -> None:
    world = World()

    [(told, _, outcome)] = await world.look(a_runner_task(expires_at=NOON, holder="pod/uid"))

    assert (told, outcome.reason) == ("complete", "Timeout")
    assert world.made == []


async def test_a_runner_that_does_not_start_says_why_once_for_each_attempt() -> None:
    world = World()
    await world.look(a_runner_task("one"), a_runner_task("two"))
    world.pod(1, "Pending", waiting={"reason": "ImagePullBackOff", "message": "no such image"})

    told = await world.look(a_runner_task("one"), a_runner_task("two"))

    assert [(kind, ref.node, waiting.reason, waiting.node) for kind, ref, waiting in told] == [
        ("waiting", "one", "ImagePull", "one"),
        ("waiting", "two", "ImagePull", "two"),
    ]
    assert await world.look(a_runner_task("one"), a_runner_task("two")) == []
    world.pod(1, "Running", running={"startedAt": "2026-03-01T12:00:03Z"})
    assert [waiting for _, _, waiting in await world.look(a_runner_task("one"), a_runner_task("two"))] == [None, None]


async def test_a_job_that_is_refused_is_said_and_tried_again() -> None:
    world = World()
    world.kube.fail("create", ApiError.of(403, {"message": "exceeded quota: pods", "reason": "Forbidden"}, None))

    [(_, _, waiting)] = await world.look(a_runner_task())
    await world.look(a_runner_task())

    assert waiting.reason == "ComputeQuota"
    assert world.jobs.alive(RUN_ID)


async def test_without_a_gateway_runs_say_so() -> None:
    world = World(pods=None)

    [(kind, ref, waiting)] = await world.look(a_runner_task())

    assert (kind, ref.node, waiting.reason) == ("waiting", "call", "NoGateway")
    assert world.made == []


async def test_what_the_gateway_recorded_wakes_the_mirror_and_the_dispatcher() -> None:
    world = World()
    mirror = Key(Topic.RUN, "nightly-1", "acme")
    world.effects.mirror(RUN_ID, mirror)
    task = a_runner_task()
    await world.look(task)
    world.keys.clear()

    await world.look(replace(task, due_at=NOON + timedelta(seconds=5)))
    assert world.keys == []
    await world.look(replace(task, holder="pod/uid"))
    assert world.keys == [mirror]
    world.effects.work.clear()
    await world.look()

    assert world.keys == [mirror, mirror]
    assert world.effects.work.is_set()


async def test_a_runner_that_outlives_its_run_for_long_is_ended() -> None:
    world = World()
    await world.look(a_runner_task())
    await world.look()
    world.now += timedelta(seconds=64)
    await world.look()
    assert world.kube.verbs("delete") == []

    world.now += timedelta(seconds=1)
    await world.look()

    assert world.kube.verbs("delete") == [f"delete Job acme/{name(1)}"]


async def test_queued_work_wakes_the_loop() -> None:
    world = World()

    await world.effects.handle(Effects(tasks_queued=True))

    assert world.effects.runners.is_set()


async def test_the_job_of_a_runner_stays_until_the_log_of_each_attempt_is_kept() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "hello\n"), ("quiet", ""))
    world.pod(1, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})
    await world.reconcile()
    assert not world.is_let_go()

    told = await world.keep_log()

    call, quiet = (TaskRef(WORKSPACE_ID, RUN_ID, node, 1) for node in ("call", "quiet"))
    assert told == [("log", call, log_path(call), 6, False), ("log", quiet, None, 0, False)]
    assert await world.objects.get(log_path(call)) == b"hello\n"
    assert world.is_let_go()


async def test_the_next_runner_does_not_wait_for_the_log_of_the_one_before() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    await world.reconcile()

    await world.look(a_runner_task())

    assert world.made == [name(1), name(2)]
    assert not world.is_let_go()


async def test_a_loss_is_counted_once_whoever_finds_the_job_before_its_log_is_kept() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "so far\n"))
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    assert await world.reconcile() == [("release", RUN_ID, f"{name(1)}-")]
    world = world.restarted()

    assert await world.reconcile() == []
    assert len(await world.keep_log()) == 1
    assert world.is_let_go()


async def test_an_attempt_that_two_runners_executed_has_the_log_of_the_last_in_whatever_order_they_are_found() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "first\n"))
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    await world.reconcile()
    await world.look(a_runner_task())
    world.printed(2, ("call", "second\n"))
    world.pod(2, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})
    world = world.restarted()

    await world.reconcile(2)
    assert await world.keep_log(2) == []
    await world.reconcile(1)
    assert await world.keep_log(2) == []
    await world.keep_log(1)
    await world.keep_log(2)

    assert await world.objects.get(log_path(a_runner_task().ref)) == b"second\n"
    assert world.is_let_go(2)


async def test_the_log_of_a_runner_that_is_ended_is_listened_to() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "hello\n"))
    world.pod(1, "Running", running={"startedAt": "2026-03-01T12:00:03Z"})
    await world.look()
    world.now += timedelta(seconds=66)
    await world.look()

    assert [ref.node for _, ref, *_ in await world.keep_log()] == ["call"]


async def test_what_a_runner_says_of_nodes_that_are_no_runner_s_is_left_out() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "hello\n"), ("container", "no\n"))
    world.engine.nodes = frozenset(["call"])
    world.pod(1, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})
    await world.reconcile()

    assert [ref.node for _, ref, *_ in await world.keep_log()] == ["call"]


async def test_a_deleted_runner_that_had_ended_well_is_no_loss() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})
    await world.reconcile()

    await world.jobs.deleted(world.kube.vanish(JOBS, name(1), "acme"))

    assert world.engine.told == []


async def test_what_is_asked_to_end_counts_as_ended_once_no_runner_has_it() -> None:
    world = World()
    await world.look(a_runner_task())
    stopping = a_runner_task(stopping=True, holder="pod/uid", due_at=NOON + timedelta(seconds=15))

    assert await world.look(stopping) == []
    [(_, ref, outcome)] = await world.look(replace(stopping, holder=None))
    assert (ref.node, outcome.succeeded, outcome.reason) == ("call", False, "Cancelled")
    world.now += timedelta(seconds=44)
    assert await world.look(stopping) == []
    world.now += timedelta(seconds=1)
    assert len(await world.look(stopping)) == 1


async def test_what_is_asked_to_end_ends_with_its_runner_and_gets_no_other() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 143, "reason": "Error"})
    await world.reconcile()

    told = await world.look(a_runner_task(stopping=True, holder="pod/uid"))

    assert [(kind, outcome.reason) for kind, _, outcome in told] == [("complete", "Cancelled")]
    assert world.made == [name(1)]
