"""The Jobs of runners in the cluster: made, watched, explained, and let go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import JOBS
from headgate.desired.context import ClusterFacts
from headgate.desired.job import RUN_LABEL, WORKSPACE_ID_ANNOTATION
from headgate.desired.keys import ObjectKey
from headgate.desired.manifest import labels_of
from headgate.desired.runner_job import NUMBER_LABEL, RunnerWork, runner_job
from headgate.desired.runner_pod import RunnerPods
from headgate.domain.attempt import Finished, Starting, explain, judge
from headgate.domain.runner_task import OpenRunnerTask
from headgate.domain.task import Outcome, Waiting
from headgate.engine.steps.runner_tasks import RunnerTasks
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key
from headgate.reconcile.step_logs import LogKeeper, RunnerOf
from headgate.reconcile.warnings import Warnings
from headgate.reconcile.workloads import Workloads, has_time_to_live, refusal

T = TypeVar("T")

RELEASED_ANNOTATION = "headgate.dev/released"
"""On the Job of a lost runner whose attempts are free again."""

EXPLAIN_AFTER = timedelta(seconds=2)
"""How long a runner may be starting before it is told that something is in its way."""
PAUSES = (0.0, 2.0, 10.0)
"""Seconds between the making of a runner and that of the next, by how many were lost."""
NO_GATEWAY = Waiting("NoGateway", "http, sql and script nodes need the gateway, which is not installed")


class RunnerJobs:
    """Makes runner Jobs, and tells the engine when one is lost."""

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        tasks: RunnerTasks,
        workloads: Workloads,
        effects: EffectHandler,
        facts: Callable[[], ClusterFacts],
        logs: LogKeeper,
        warnings: Warnings,
        *,
        pods: RunnerPods | None,
        wall: Callable[[], datetime],
    ) -> None:
        """``pods`` is None where there is no gateway that a runner could work for."""
        self._kube = kube
        self._cache = cache
        self._tasks = tasks
        self._workloads = workloads
        self._effects = effects
        self._facts = facts
        self._logs = logs
        self._warnings = warnings
        self._pods = pods
        self._wall = wall
        self._made: dict[UUID, datetime] = {}
        self._why: dict[UUID, str] = {}

    @property
    def idle_seconds(self) -> float:
        """How long a runner waits for more to do."""
        return self._pods.idle_seconds if self._pods is not None else 0.0

    def runs(self) -> frozenset[UUID]:
        """The runs of all runners that exist and have not been let go."""
        found = (self._cache.get(key) for key in self._cache.keys(JOBS))
        return frozenset(UUID(labels_of(live)[RUN_LABEL]) for live in found if live is not None and _is_open(live))

    def alive(self, run_id: UUID) -> bool:
        """Whether the run has a runner that may still take something up."""
        return bool(self._open(run_id))

    def why_lost(self, run_id: UUID) -> str:
        """How the last runner of the run ended."""
        return self._why.get(run_id, "no one knows how")

    def may_make(self, run_id: UUID, losses: int, now: datetime) -> bool:
        """Whether it is time for the next runner of the run."""
        made = self._made.get(run_id)
        return made is None or now >= made + timedelta(seconds=PAUSES[min(losses, len(PAUSES) - 1)])

    async def make(self, run_id: UUID, task: OpenRunnerTask) -> Waiting | None:
        """Make a runner for the run of that task. Returns why there is none, where it could not be made."""
        if self._pods is None:
            return NO_GATEWAY
        numbers = [int(labels_of(live)[NUMBER_LABEL]) for _, live in self._all(run_id)]
        work = RunnerWork(
            workspace_id=task.ref.workspace_id,
            workspace=task.workspace,
            namespace=task.namespace,
            workflow=task.workflow,
            run_id=run_id,
            number=max(numbers, default=0) + 1,
            secrets=await self._tasks.secrets(task.ref.workspace_id, run_id),
        )
        manifest = runner_job(work, self._pods, self._workloads.spec_of(task.workspace), self._facts().api_addresses)
        try:
            created = await self._kube.create(JOBS, manifest)
        except ApiError as error:
            if not error.is_already_exists:
                return refusal(error)
            # Made by an earlier try, of which no news came yet.
            created = await self._kube.get(JOBS, manifest["metadata"]["name"], task.namespace)
        self._cache.upsert(JOBS, created)
        self._made[run_id] = self._wall()
        return None

    async def waiting(self, run_id: UUID) -> Waiting | None:
        """Why the run's runner does not start, where it does not."""
        for key, live in self._open(run_id):
            pods = self._cache.pods_of(key)
            verdict = judge(live, pods, "")
            if not isinstance(verdict, Starting):
                continue
            if verdict.waiting is not None:
                return verdict.waiting
            if self._wall() - datetime.fromisoformat(live["metadata"]["creationTimestamp"]) < EXPLAIN_AFTER:
                return None
            uids = (live["metadata"]["uid"], *(pod["metadata"]["uid"] for pod in pods))
            return explain(self._warnings.about(key.namespace, *uids), pods, "")
        return None

    def made(self, run_id: UUID) -> datetime | None:
        """When the newest of the run's runners was made that has not ended."""
        times = [datetime.fromisoformat(live["metadata"]["creationTimestamp"]) for _, live in self._open(run_id)]
        return max(times, default=None)

    async def end(self, run_id: UUID) -> None:
        """Delete what is left of the run's runners."""
        for key, live in self._open(run_id):
            # The log is listened to from now on: the pod goes as soon as it has ended.
            self._keep_log(key, live, going=True)
            await self._workloads.delete(key, live["metadata"]["uid"])
        self._made.pop(run_id, None)
        self._why.pop(run_id, None)

    async def reconcile(self, key: Key) -> None:
        """Look at one Job; nothing happens for one that is no runner's, or has not ended."""
        live = self._cache.get(key.object_key)
        if live is None or not _is_open(live) or self._logs.keeps(key.object_key, live["metadata"]["uid"]):
            return
        pods = self._cache.pods_of(key.object_key)
        verdict = judge(live, pods, "")
        if not isinstance(verdict, Finished):
            return
        if not verdict.outcome.succeeded and not _is_released(live):
            await self._lost(live, verdict.outcome)
            live = await self._note_release(key.object_key, live)
        self._keep_log(key.object_key, live)
        self._effects.runners.set()

    async def deleted(self, live: Object) -> None:
        """The Job is gone: whatever its runner held is free."""
        metadata = live["metadata"]
        if not is_runner(live) or has_time_to_live(live) or _is_released(live):
            return
        verdict = judge(live, self._cache.pods_of(JOBS.key(metadata["name"], metadata["namespace"])), "")
        if not (isinstance(verdict, Finished) and verdict.outcome.succeeded):
            await self._lost(live, Outcome(succeeded=False, message="its Job was deleted"))
        self._effects.runners.set()

    async def _lost(self, live: Object, outcome: Outcome) -> None:
        workspace_id, run_id = _ids(live)
        self._why[run_id] = outcome.message or outcome.reason
        await self._tasks.release(workspace_id, run_id, f"{live['metadata']['name']}-")

    async def _note_release(self, key: ObjectKey, live: Object) -> Object:
        """A Job stays until its log is kept: its loss must not be counted again by whoever finds it there."""
        patch = {"metadata": {"annotations": {RELEASED_ANNOTATION: "true"}}}
        try:
            noted = await self._kube.merge_patch(JOBS, key.name, key.namespace, patch)
        except ApiError as error:
            if not error.is_not_found:
                raise
            return live
        self._cache.upsert(JOBS, noted)
        return noted

    def _keep_log(self, key: ObjectKey, live: Object, *, going: bool = False) -> None:
        workspace_id, run_id = _ids(live)
        runner = RunnerOf(workspace_id, run_id, int(labels_of(live)[NUMBER_LABEL]))
        self._logs.keep_runner(key, live, runner, going=going)

    def _all(self, run_id: UUID) -> list[tuple[ObjectKey, Object]]:
        return [(key, live) for key, live in self._cache.jobs_of(str(run_id)) if is_runner(live)]

    def _open(self, run_id: UUID) -> list[tuple[ObjectKey, Object]]:
        return [
            (key, live)
            for key, live in self._all(run_id)
            if _is_open(live) and not self._logs.keeps(key, live["metadata"]["uid"])
        ]


def is_runner(live: Object) -> bool:
    """Whether a Job is a runner's."""
    try:
        _ids(live)
    except (KeyError, ValueError):
        return False
    return labels_of(live).get(NUMBER_LABEL, "").isdecimal()


def _ids(live: Object) -> tuple[UUID, UUID]:
    """The workspace and the run of a runner. Raises ``ValueError`` and ``KeyError`` for what is none."""
    return UUID(live["metadata"]["annotations"][WORKSPACE_ID_ANNOTATION]), UUID(labels_of(live)[RUN_LABEL])


def _is_released(live: Object) -> bool:
    """Whether what the runner held is free, and its loss counted."""
    return RELEASED_ANNOTATION in (live["metadata"].get("annotations") or {})


def in_turn(
    runners: Callable[[T], Awaitable[None]], attempts: Callable[[T], Awaitable[None]]
) -> Callable[[T], Awaitable[None]]:
    """Look at a Job as both would: it is either a runner's or an attempt's."""

    async def both(job: T) -> None:
        await runners(job)
        await attempts(job)

    return both


def _is_open(live: Object) -> bool:
    """Whether the Job was neither let go nor is being deleted."""
    return is_runner(live) and not has_time_to_live(live) and not live["metadata"].get("deletionTimestamp")
