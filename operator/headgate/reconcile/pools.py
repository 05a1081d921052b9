"""Pools of runners: how large each is to be, what is left to it, and why it does not begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.resources import JOBS
from headgate.desired.keys import DEPLOYMENT, ObjectKey
from headgate.domain.attempt import Starting, explain, judge
from headgate.domain.pool import Bounds, Load, PoolSize, resized
from headgate.domain.runner_task import POOL_NAME, OpenRunnerTask
from headgate.domain.task import Waiting
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.warnings import Warnings
from headgate.reconcile.workloads import Workloads

EXPLAIN_AFTER = timedelta(seconds=3)
"""How long work may wait before it is told that something is in its way."""
ASK_SECONDS = 15.0
"""Between questions to the API server why a pool has no pods."""
WAKING = Waiting("RunnersStarting", "the Workspace's runners are being started")
BUSY = Waiting("RunnersBusy", "all runners of the Workspace are busy: raise spec.runners.max, or wait")


class Pools:
    """Decides on the size of every pool. Costs nothing but time of its own as long as no size changes.

    It writes nothing: a new size is one of the things that the Workspace wants, whose reconciliation applies it.
    """

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        workloads: Workloads,
        warnings: Warnings,
        *,
        enqueue: Callable[[Key], None],
        wall: Callable[[], datetime],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._workloads = workloads
        self._warnings = warnings
        self._enqueue = enqueue
        self._wall = wall
        self._sizes: dict[ObjectKey, PoolSize] = {}
        self._refused: dict[str, tuple[datetime, Waiting | None]] = {}

    def takes(self, task: OpenRunnerTask) -> bool:
        """Whether the attempt is left to a pool."""
        key = _pool(task.namespace)
        if task.needs_secrets or self._cache.owner(key) != task.workspace:
            return False
        return self._workloads.spec_of(task.workspace).runners.max > 0

    def runners(self, namespace: str) -> int | None:
        """How many runners there are to be in the namespace; None where nothing was decided, as it has no pool yet."""
        key = _pool(namespace)
        if key not in self._sizes and (live := self._cache.get(key)) is not None:
            # As a former operator decided: starting anew changes nothing.
            self._sizes[key] = PoolSize(int(live["spec"].get("replicas", 0)))
        size = self._sizes.get(key)
        return size.runners if size is not None else None

    def resize(self, tasks: Iterable[OpenRunnerTask]) -> None:
        """Decide anew, from all that is open for pools."""
        now = self._wall()
        loads = _loads(tasks, now)
        pools = set(self._cache.keys(DEPLOYMENT))
        for key in self._sizes.keys() - pools:
            del self._sizes[key]
        for key in pools:
            owner = self._cache.owner(key)
            before = self.runners(key.namespace)
            if owner is None or before is None or key.name != POOL_NAME:
                continue
            wanted = self._workloads.spec_of(owner).runners
            bounds = Bounds(wanted.min, wanted.max, timedelta(seconds=wanted.idle_seconds))
            self._sizes[key] = resized(self._sizes[key], loads.get(key.namespace, Load()), bounds, now)
            if self._sizes[key].runners != before:
                self._enqueue(Key(Topic.WORKSPACE, owner))

    async def waiting(self, task: OpenRunnerTask) -> Waiting | None:
        """Why nobody has begun the attempt, where that takes longer than it should.

        Asks the API server where the pool has no pods, once in a while. Raises ``ApiError`` and ``Unreachable``.
        """
        if self._wall() - task.due_at < EXPLAIN_AFTER:
            return None
        pods = self._cache.pods_of(JOBS.key(POOL_NAME, task.namespace))
        if not pods:
            return await self._why_none(task.namespace) or WAKING
        verdicts = [judge(_NO_JOB, (pod,), "") for pod in pods]
        if not all(isinstance(verdict, Starting) for verdict in verdicts):
            return BUSY
        told = next((v.waiting for v in verdicts if isinstance(v, Starting) and v.waiting is not None), None)
        uids = [pod["metadata"]["uid"] for pod in pods]
        return told or explain(self._warnings.about(task.namespace, *uids), pods, "") or WAKING

    async def _why_none(self, namespace: str) -> Waiting | None:
        asked = self._refused.get(namespace)
        if asked is None or self._wall() - asked[0] >= timedelta(seconds=ASK_SECONDS):
            live = await self._kube.get(DEPLOYMENT, POOL_NAME, namespace)
            asked = self._refused[namespace] = self._wall(), _refusal(live)
        return asked[1]


_NO_JOB: Object = {"metadata": {}, "status": {}}


def _pool(namespace: str) -> ObjectKey:
    return DEPLOYMENT.key(POOL_NAME, namespace)


def _loads(tasks: Iterable[OpenRunnerTask], now: datetime) -> dict[str, Load]:
    """What there is to do, by namespace. What is not due yet is not counted: a retry may be hours away."""
    counted: dict[str, Counter[str]] = {}
    for task in tasks:
        if task.holder is not None or task.due_at <= now:
            counted.setdefault(task.namespace, Counter())[task.kind] += 1
    return {namespace: Load(kinds) for namespace, kinds in counted.items()}


def _refusal(deployment: Object) -> Waiting | None:
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            message = str(condition.get("message", ""))[:1024]
            return Waiting("ComputeQuota" if "exceeded quota" in message else "PodRefused", message)
    return None
