"""Jobs and their pods: what a change says of the attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS
from headgate.desired.keys import ObjectKey
from headgate.domain.attempt import (
    Finished,
    Running,
    Starting,
    Trouble,
    ended_at,
    explain,
    has_ended,
    judge,
    slow_start,
)
from headgate.domain.task import Outcome, TaskRef, Waiting
from headgate.engine.engine import Engine
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key
from headgate.reconcile.letting_go import LetGo
from headgate.reconcile.pod_use import PodUse
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.warnings import Warnings
from headgate.reconcile.workloads import Workloads, attempt_of

EXPLAIN_AFTER = timedelta(seconds=2)
"""How long an attempt may be starting before it is told that something is in its way: much goes by itself."""
EXPLAIN_AGAIN_SECONDS = 30.0
"""The net under warnings that were missed."""


@dataclass(frozen=True)
class Reported:
    """What the engine was last told of an attempt, so that it is told only what is new."""

    running: bool = False
    waiting: Waiting | None = None


class JobReconciler:
    """Tells the engine how attempts fare. Costs one transaction per change, and none where nothing changed.

    It looks again where its Job or pod changed, or ``Warnings`` heard of a trouble.
    """

    def __init__(
        self,
        cache: Cache,
        engine: Engine,
        workloads: Workloads,
        let_go: LetGo,
        effects: EffectHandler,
        logs: LogKeeper,
        warnings: Warnings,
        use: PodUse,
        *,
        requeue: Callable[[Key, float], None],
        wall: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._engine = engine
        self._workloads = workloads
        self._let_go = let_go
        self._effects = effects
        self._logs = logs
        self._warnings = warnings
        self._use = use
        self._requeue = requeue
        self._wall = wall
        self._reported: dict[str, Reported] = {}

    async def reconcile(self, key: Key) -> None:
        """Look at one Job of ours."""
        live = self._cache.get(key.object_key)
        if live is None:
            return
        ref = attempt_of(live)
        if ref is None:
            return
        metadata = live["metadata"]
        if metadata.get("deletionTimestamp") or self._let_go.has(key.object_key, live):
            self._reported.pop(metadata["uid"], None)
            return
        cancelled = self._effects.is_cancelled(ref)
        if (cancelled or self._effects.is_stopping(ref)) and not _is_over(live):
            # The log is listened to from now on: the pod goes as soon as it has ended.
            self._logs.keep(key.object_key, live, ref, going=True)
            await self._workloads.end(ref, leaving_nothing=not cancelled)
            return
        if self._logs.keeps(key.object_key, metadata["uid"]):
            # Its end is recorded.
            return
        if _is_over(live):
            await self._let_go.ask(ref.workspace_id)
            if self._let_go.has(key.object_key, live):
                return
        pods = self._cache.pods_of(key.object_key)
        if _is_over(live) and not any(map(has_ended, pods)):
            # News of the pod may come later than news of the Job, and it is the pod that has the output.
            pods = await self._workloads.pods(key.object_key)
        match judge(live, pods, ref.node):
            case Finished(outcome):
                await self._finish(key.object_key, live, ref, self._measured(outcome, pods))
            case Running() as running:
                await self._running(live, ref, running)
            case Starting(waiting):
                await self._starting(key, live, ref, pods, waiting)

    async def deleted(self, live: Object) -> None:
        """The Job is gone. Its attempt failed, unless its end is known, or was recorded before."""
        ref, metadata = attempt_of(live), live["metadata"]
        self._reported.pop(metadata["uid"], None)
        key = JOBS.key(metadata["name"], metadata["namespace"])
        if ref is None or self._let_go.has(key, live):
            self._let_go.forget(key, live)
            return
        pods = self._cache.pods_of(key)
        verdict = judge(live, pods, ref.node)
        if isinstance(verdict, Finished):
            outcome = verdict.outcome
        else:
            message = f"Job {metadata['name']} was deleted before it ended"
            outcome = Outcome(succeeded=False, reason="JobDeleted", message=message)
        await self._effects.handle(await self._engine.complete(ref, self._measured(outcome, pods)))

    def _measured(self, outcome: Outcome, pods: tuple[Object, ...]) -> Outcome:
        """The outcome with what its pod used. Where that ended too early to say, also with what it held."""
        known = self._use.of(pods)
        if known is None:
            return outcome
        return replace(outcome, used=known.used, footprint=outcome.footprint or known.footprint)

    async def _finish(self, key: ObjectKey, live: Object, ref: TaskRef, outcome: Outcome) -> None:
        effects = await self._engine.complete(ref, outcome)
        self._reported.pop(live["metadata"]["uid"], None)
        await self._effects.handle(effects)
        self._logs.keep(key, live, ref)

    async def _running(self, live: Object, ref: TaskRef, running: Running) -> None:
        uid = live["metadata"]["uid"]
        if self._reported.get(uid, Reported()).running:
            return
        began = running.started_at or self._wall()
        await self._effects.handle(await self._engine.mark_running(ref, began, running.footprint))
        self._reported[uid] = Reported(running=True)

    async def _starting(
        self, key: Key, live: Object, ref: TaskRef, pods: tuple[Object, ...], waiting: Waiting | None
    ) -> None:
        uid = live["metadata"]["uid"]
        reported = self._reported.get(uid, Reported())
        if waiting is None:
            age = self._wall() - datetime.fromisoformat(live["metadata"]["creationTimestamp"])
            if age < EXPLAIN_AFTER:
                self._requeue(key, (EXPLAIN_AFTER - age).total_seconds())
                return
            troubles = self._warnings.about(key.namespace, uid, *(pod["metadata"]["uid"] for pod in pods))
            waiting, again = self._explained(troubles, pods, ref.node)
            self._requeue(key, again)
        if waiting != reported.waiting:
            await self._effects.handle(await self._engine.record_waiting(ref, waiting))
        self._reported[uid] = Reported(waiting=waiting)

    def _explained(
        self, troubles: tuple[Trouble, ...], pods: tuple[Object, ...], node: str
    ) -> tuple[Waiting | None, float]:
        """Why an attempt does not start, where anything tells, and in how many seconds to look again."""
        match explain(troubles, pods, node) or slow_start(pods, node, self._wall()):
            case timedelta() as soon:
                return None, soon.total_seconds()
            case waiting:
                return waiting, EXPLAIN_AGAIN_SECONDS


def _is_over(live: Object) -> bool:
    return ended_at(live) is not None
