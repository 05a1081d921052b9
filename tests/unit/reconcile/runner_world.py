"""Runners over a cluster, as tests want them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.cluster.resources import JOBS, PODS
from headgate.desired.context import ClusterFacts
from headgate.desired.runner_pod import RunnerPods
from headgate.domain.runner_log import FrameWriter
from headgate.domain.runner_task import OpenRunnerTask, runner_job_name
from headgate.domain.task import TaskRef
from headgate.engine.run_metrics import RunMetrics
from headgate.objects.object_store import ObjectStore
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.pools import Pools
from headgate.reconcile.runner_jobs import RunnerJobs
from headgate.reconcile.runners import Runners
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.warnings import Warnings
from headgate.reconcile.workloads import Workloads
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine
from tests.unit.reconcile.letting import a_let_go
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
        self.effects = EffectHandler(
            workloads,
            self.keys.append,
            RunMetrics(CollectorRegistry(), lambda _: None),
            later=lambda _key, _seconds: None,
        )
        self.objects = objects or ObjectStore("memory://")
        self.logs = LogKeeper(
            self.kube,
            self.cache,
            self.engine,
            self.objects,
            workloads,
            a_let_go(self.kube, self.cache, workloads, self.engine),
            CollectorRegistry(),
            limit=1000,
            monotonic=time.monotonic,
        )
        self.warnings = Warnings(self.kube, self.cache, self.keys.append)
        self.jobs = RunnerJobs(
            self.kube,
            self.cache,
            self.engine.runner_tasks,
            workloads,
            self.effects,
            lambda: ClusterFacts("headgate-system"),
            self.logs,
            self.warnings,
            pods=pods,
            wall=self.wall,
        )
        self.pools = Pools(self.kube, self.cache, workloads, self.warnings, enqueue=self.keys.append, wall=self.wall)
        self.rung: list[str] = []
        self.runners = Runners(self.engine, self.jobs, self.pools, self.effects, ring=self.rung.extend, wall=self.wall)

    def wall(self) -> datetime:
        """No two looks at a clock are at the same time."""
        self.now += timedelta(microseconds=1)
        return self.now

    async def look(self, *tasks: OpenRunnerTask) -> list[tuple[Any, ...]]:
        """Look once at these tasks. Returns what the engine is told."""
        self.engine.told.clear()
        self.engine.runner_work = tasks
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
