"""After a start: comparing what Postgres says is under way with the Jobs and WorkflowRuns that exist, both ways."""

from __future__ import annotations

import structlog

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import JOBS, WORKFLOW_RUNS
from headgate.desired.job import job_name
from headgate.desired.keys import ObjectKey
from headgate.domain.attempt import Finished, judge
from headgate.domain.audit import Actor, ActorKind
from headgate.domain.task import JobTask, Outcome, TaskRef
from headgate.engine.engine import Engine
from headgate.engine.types import Effects
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.runs import run_key
from headgate.reconcile.workloads import Workloads, attempt_of, has_time_to_live


class Recovery:
    """Makes up for what happened while nobody looked. Costs two queries, and requests only for what is amiss."""

    def __init__(
        self, kube: KubeClient, cache: Cache, engine: Engine, workloads: Workloads, effects: EffectHandler
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._engine = engine
        self._workloads = workloads
        self._effects = effects
        self._log = structlog.get_logger("headgate.recovery")

    async def run(self) -> None:
        """Compare once. The cache must hold all Jobs and WorkflowRuns.

        Work goes on meanwhile, so the order matters: a Job that was there before Postgres was asked, and whose attempt
        is not open then, is of an attempt that is over. One that came later may be of an attempt that came later.
        """
        jobs_before = self._cache.keys(JOBS)
        open_tasks = await self._engine.open_tasks()
        await self._effects.handle(Effects(stopping=tuple(task.ref for task in open_tasks if task.stopping)))
        for task in open_tasks:
            if task.job_uid is not None and await self._lost(task):
                message = "the Job was deleted while the operator was away"
                outcome = Outcome(succeeded=False, reason="JobDeleted", message=message)
                await self._effects.handle(await self._engine.complete(task.ref, outcome))
        await self._end_strays(jobs_before, frozenset(task.ref for task in open_tasks))
        await self._cancel_orphans()
        self._effects.work.set()

    async def _lost(self, task: JobTask) -> bool:
        key = JOBS.key(job_name(task.workflow, task.ref), task.namespace)
        if self._cache.uid(key) == task.job_uid:
            return False
        try:
            live = await self._kube.get(JOBS, key.name, key.namespace)
        except ApiError as error:
            if error.is_not_found:
                return True
            raise
        return bool(live["metadata"]["uid"] != task.job_uid)

    async def _end_strays(self, jobs: tuple[ObjectKey, ...], open_refs: frozenset[TaskRef]) -> None:
        """Jobs of attempts that were cancelled before their Jobs could be deleted."""
        for key in jobs:
            live = self._cache.get(key)
            if live is None or has_time_to_live(live):
                continue
            ref = attempt_of(live)
            if ref is None or ref in open_refs:
                continue
            if not isinstance(judge(live, self._cache.pods_of(key), ref.node), Finished):
                self._log.info("ending a Job whose attempt is over", job=str(key))
                await self._workloads.end(ref)

    async def _cancel_orphans(self) -> None:
        """Runs whose WorkflowRun was deleted. What is open was admitted from the cache, so that is looked at after."""
        open_keys = await self._engine.open_resource_keys()
        keys = self._cache.keys(WORKFLOW_RUNS)
        present = {run_key(uid) for key in keys if (uid := self._cache.uid(key)) is not None}
        for workspace_id, trigger_key in open_keys:
            if trigger_key not in present:
                by = Actor(ActorKind.KUBERNETES, "a WorkflowRun that is gone", "Kubernetes")
                effects = await self._engine.control.cancel_resource(workspace_id, trigger_key, by)
                await self._effects.handle(effects)
