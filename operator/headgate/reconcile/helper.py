"""What a replica does that does not lead: making Jobs of attempts, beside the one that does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog

from headgate.api.workflow_run import NodePhase
from headgate.api.workspace import Workspace, WorkspaceSpec
from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS, WORKSPACES
from headgate.desired.job import job_name
from headgate.desired.placement import ASKS_NOTHING
from headgate.desired.runner_pod import RunnerPods
from headgate.domain.spread import index_of, node_of
from headgate.domain.task import ClaimTerms, JobTask, TaskRef
from headgate.engine.engine import Engine
from headgate.reconcile.loops import forever
from headgate.reconcile.parsing import InvalidResource, parse
from headgate.reconcile.workloads import ForeignJob, NoRunners, make_job

NET_SECONDS = 1.0
"""Between looks at the queue: what is due is told to the leader alone."""
SPEC_SECONDS = 5.0
"""How old what is known of a Workspace may be; admission policies have the last word, and know of a change at once."""
LEFT_SECONDS = 60.0
"""How long the attempts of a run are left to the leader after one of them could not be made a Job."""
REST_SECONDS = 15.0
"""How long nothing is claimed after the API server could not be reached."""
SAFE_PART = 2 / 3
"""Of a lease: later no Job is created any more, as somebody else may be about to."""


class Helper:
    """Claims attempts and creates their Jobs.

    All else is the leader's: it watches the Jobs, whoever made them, and tells the engine how they fare. Whatever is
    amiss with an attempt is the leader's as well, because it alone writes what users see: the attempt is given back.
    Holds no objects but Workspaces' specs for a few seconds.
    """

    def __init__(
        self,
        engine: Engine,
        kube: KubeClient,
        terms: ClaimTerms,
        *,
        wall: Callable[[], datetime],
        monotonic: Callable[[], float],
        runners: RunnerPods | None = None,
    ) -> None:
        """``runners`` says what pods of scripts are made of; without it they are left to the leader."""
        self._engine = engine
        self._kube = kube
        self._terms = terms
        self._wall = wall
        self._monotonic = monotonic
        self._runners = runners
        self._specs: dict[str, tuple[float, WorkspaceSpec]] = {}
        self._left: dict[UUID, float] = {}
        self._rests_until = float("-inf")
        self._stopped = False
        self._round = asyncio.Lock()
        self._log = structlog.get_logger("headgate.helper")

    async def run(self) -> None:
        """Help for ever."""
        await forever("helper", self.once, first=self.take_over, net_seconds=NET_SECONDS)

    async def take_over(self) -> None:
        """End what a process of this name had claimed when it died."""
        await self._engine.take_over_claims(self._terms.holder, self._wall())

    async def stop(self) -> None:
        """Claim nothing more, and return when what was claimed has been dealt with."""
        self._stopped = True
        async with self._round:
            pass

    async def once(self) -> datetime | None:
        """Claim until nothing is due, and create the Jobs. Returns when the next attempt is due, where one is known."""
        async with self._round:
            while not self._stopped and self._monotonic() >= self._rests_until:
                until = self._monotonic() + self._terms.lease.total_seconds() * SAFE_PART
                claimed_at = self._wall()
                claimed = await self._engine.claim_jobs(self._terms, claimed_at, self._leave())
                if not claimed.tasks:
                    return claimed.next_due
                await self._make(claimed.tasks, claimed_at, until)
        return None

    async def _make(self, tasks: tuple[JobTask, ...], claimed_at: datetime, until: float) -> None:
        uids = await asyncio.gather(*(self._create(task, until) for task in tasks))
        made = [(task, uid) for task, uid in zip(tasks, uids, strict=True) if uid is not None]
        effects = await self._engine.record_jobs(((task.ref, uid) for task, uid in made), claimed_at)
        given_back = [task.ref for task, uid in zip(tasks, uids, strict=True) if uid is None]
        await self._engine.give_back(self._terms.holder, given_back, self._wall())
        over = frozenset(effects.cancelled)
        for task, uid in made:
            if task.ref in over and await self._was_cancelled(task.ref):
                await self._end(task, uid)

    async def _create(self, task: JobTask, until: float) -> str | None:
        """Create one Job; None where the attempt is to be given back."""
        try:
            spec = await self._spec_of(task.workspace)
            if self._monotonic() >= until:
                return None
            return str((await make_job(self._kube, task, spec, self._runners))["metadata"]["uid"])
        except (ApiError, ForeignJob, NoRunners) as error:
            self._left[task.ref.run_id] = self._monotonic() + LEFT_SECONDS
            self._log.info("leaving an attempt to the leader", run=str(task.ref.run_id), error=str(error))
        except Unreachable as error:
            self._rests_until = self._monotonic() + REST_SECONDS
            self._log.warning("could not create a Job", run=str(task.ref.run_id), error=str(error))
        return None

    async def _was_cancelled(self, ref: TaskRef) -> bool:
        """Whether an attempt that is not open any more was cancelled: it may as well have run to its end already."""
        view = await self._engine.run_view(ref.workspace_id, ref.run_id)
        # Of a list's items the view has no attempts: they were cancelled with their node.
        item = index_of(ref.node) is not None
        return view is not None and any(
            node.id == node_of(ref.node) and node.phase is NodePhase.CANCELLED and (item or node.attempt == ref.attempt)
            for node in view.nodes
        )

    async def _end(self, task: JobTask, uid: str) -> None:
        """Delete the Job that was made while its attempt was cancelled."""
        try:
            await self._kube.delete(JOBS, job_name(task.workflow, task.ref), task.namespace, uid=uid)
        except ApiError as error:
            if not (error.is_not_found or error.is_conflict):
                raise

    async def _spec_of(self, name: str) -> WorkspaceSpec:
        known = self._specs.get(name)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        try:
            spec = parse(Workspace, await self._kube.get(WORKSPACES, name)).spec
        except InvalidResource:
            spec = known[1] if known is not None else ASKS_NOTHING
        except ApiError as error:
            if not error.is_not_found:
                raise
            spec = known[1] if known is not None else ASKS_NOTHING
        self._specs[name] = (self._monotonic() + SPEC_SECONDS, spec)
        return spec

    def _leave(self) -> frozenset[UUID]:
        """Runs whose attempts are left to the leader for now."""
        now = self._monotonic()
        self._left = {run_id: until for run_id, until in self._left.items() if until > now}
        return frozenset(self._left)
