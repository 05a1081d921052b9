"""WorkflowRun: asks the engine for its run, and mirrors it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.api.workflow_run import RunPhase, WaitingFor, WorkflowRun, WorkflowRunStatus
from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.resources import WORKFLOW_RUNS, WORKFLOWS
from headgate.desired.keys import NAMESPACE
from headgate.domain.conditions import not_ready
from headgate.domain.labels import given_labels
from headgate.domain.reasons import Reason
from headgate.domain.run_status import is_minor, patience, seconds, waiting_column
from headgate.engine.control.suspension import RUN_SUSPENDED
from headgate.engine.engine import Engine
from headgate.engine.starting.replay import UNKNOWN_RUN, UNKNOWN_VERSION
from headgate.engine.starting.requests import INVALID_DEBUG, INVALID_LABELS
from headgate.engine.types import Admitted, NoRoom, Refused, RunRequest, RunView, TriggerKind
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key
from headgate.reconcile.parsing import InvalidResource, parse
from headgate.reconcile.run_mirror import mirrored
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.steering import HELD_BY_SPEC, by_resource, steer
from headgate.reconcile.tenants import NoTenant, Tenant, Tenants
from headgate.store.errors import DatabaseUnavailable

WAIT_SECONDS = 15.0
"""Until a run that cannot be admitted yet is looked at again, where no event says so earlier."""
FINAL_REFUSALS = frozenset(
    {"InvalidInputs", "InvalidTrigger", "InvalidMutex", INVALID_DEBUG, INVALID_LABELS, UNKNOWN_RUN, UNKNOWN_VERSION}
)
"""Refusals that stay, because a WorkflowRun's spec cannot be changed."""

REJECTIONS = frozenset({"DailyLimit", "Budget", "ConcurrencyLimit", "StorageLimit"})
"""Refusals by a plan that lets no run wait; the status says from when on another one may succeed."""


def run_key(uid: str) -> str:
    """The engine's key of the run that a WorkflowRun asks for."""
    return f"{TriggerKind.RESOURCE}:{uid}"


@dataclass(frozen=True)
class _Mirror:
    """What is known of a run under way without asking for it."""

    run_id: UUID
    told: float
    """When its status was written, or might first have been."""
    minor: float | None = None
    """Since when there is minor news that its status does not tell."""


class RunReconciler:
    """Admits, steers and mirrors runs.

    Costs, for a run without trouble: one transaction to admit, one that reads whenever it may be told of, and two
    status writes (Running, and the end). Whether there is a run already is not asked before the first is admitted.
    """

    def __init__(
        self,
        cache: Cache,
        engine: Engine,
        tenants: Tenants,
        effects: EffectHandler,
        status: StatusWriter,
        *,
        dependents: Dependents,
        requeue: Callable[[Key, float], None],
        park: Callable[[Key], None],
        wall: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._engine = engine
        self._tenants = tenants
        self._effects = effects
        self._status = status
        self._dependents = dependents
        self._requeue = requeue
        self._park = park
        self._wall = wall
        self._monotonic = monotonic
        self._mirrors: dict[str, _Mirror] = {}

    async def reconcile(self, key: Key) -> None:
        """Bring one WorkflowRun and its run together."""
        live = self._cache.get(key.object_key)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return
        if is_settled(live):
            return
        try:
            run = parse(WorkflowRun, live)
        except InvalidResource as error:
            await self._invalid(live, str(error))
            return
        try:
            tenant = await self._tenants.of_namespace(key.namespace)
            await self._bring_together(key, live, run, tenant)
        except NoTenant as error:
            self._dependents.depend(key, NAMESPACE.key(key.namespace))
            await self._wait(key, live, run, Reason.NO_WORKSPACE, str(error))
        except NoRoom as error:
            # Its row says how it ended before; that it is to be retried is told as if it had not begun.
            await self._wait(key, live, run, error.refused.reason, str(error), RunPhase.PENDING)
        except DatabaseUnavailable as error:
            self._park(key)
            message = f"the run is kept until Postgres can be used: {error}"
            await self._say_waiting(live, run, Reason.DATABASE_UNAVAILABLE, message)

    async def deleted(self, live: Object) -> None:
        """The WorkflowRun is gone: its run is cancelled, or never starts."""
        if is_settled(live):
            return
        metadata = live["metadata"]
        self._mirrors.pop(metadata["uid"], None)
        try:
            tenant = await self._tenants.of_namespace(metadata["namespace"])
        except NoTenant:
            return
        trigger_key = run_key(metadata["uid"])
        by = by_resource(metadata["namespace"], metadata["name"])
        effects = await self._engine.control.cancel_resource(tenant.workspace_id, trigger_key, by)
        await self._effects.handle(effects)

    async def _bring_together(self, key: Key, live: Object, run: WorkflowRun, tenant: Tenant) -> None:
        trigger_key = run_key(run.metadata.uid)
        known = self._mirrors.get(run.metadata.uid)
        view = await self._engine.run_view(tenant.workspace_id, known.run_id) if known else None
        if view is None and not _is_new(run):
            view = await self._engine.run_by_key(tenant.workspace_id, trigger_key)
        if view is None:
            view = await self._start(key, live, run, tenant, trigger_key)
        else:
            effects = await steer(
                self._engine.control, tenant.workspace_id, run.spec, view, by_resource(key.namespace, key.name)
            )
            if effects is not None:
                await self._effects.handle(effects)
                view = await self._engine.run_view(tenant.workspace_id, view.run_id)
        if view is None:
            return
        self._effects.mirror(view.run_id, key)
        await self._mirror(key, live, run, view)

    async def _start(
        self, key: Key, live: Object, run: WorkflowRun, tenant: Tenant, trigger_key: str
    ) -> RunView | None:
        if is_final(live):
            # It was refused for good: whatever steers a run finds none.
            changes = {"observed_generation": run.metadata.generation}
            await self._status.write(WORKFLOW_RUNS, live, run.status.model_copy(update=changes))
            return None
        if run.spec.cancel or run.spec.cancel_now:
            by = by_resource(key.namespace, key.name)
            effects = await self._engine.control.cancel_resource(tenant.workspace_id, trigger_key, by)
            await self._effects.handle(effects)
            await self._status.write(WORKFLOW_RUNS, live, self._without_run(run, RunPhase.CANCELLED, "Cancelled", ""))
            return None
        if run.spec.suspend:
            waiting = (WaitingFor(reason=RUN_SUSPENDED, message=HELD_BY_SPEC),)
            status = self._without_run(run, RunPhase.SUSPENDED, RUN_SUSPENDED, HELD_BY_SPEC, waiting)
            await self._status.write(WORKFLOW_RUNS, live, status)
            return None
        return await self._admit(key, live, run, tenant, trigger_key)

    async def _admit(
        self, key: Key, live: Object, run: WorkflowRun, tenant: Tenant, trigger_key: str
    ) -> RunView | None:
        replay_of = _run_id(run.spec.replay_of)
        if isinstance(replay_of, Refused):
            status = self._without_run(run, RunPhase.FAILED, replay_of.reason, replay_of.message)
            await self._status.write(WORKFLOW_RUNS, live, status)
            return None
        request = RunRequest(
            workspace_id=tenant.workspace_id,
            namespace=key.namespace,
            workflow=run.spec.workflow_ref.name,
            kind=TriggerKind.RESOURCE,
            key=trigger_key,
            trigger=run.spec.trigger,
            inputs=run.spec.inputs,
            resource=key.name,
            version=run.spec.version,
            mode=run.spec.mode,
            debug=run.spec.debug,
            priority=run.spec.priority,
            replay_of=replay_of,
            labels=given_labels(run.metadata.labels),
            by=by_resource(key.namespace, key.name),
        )
        admission, effects = await self._engine.admit(request)
        match admission:
            case Admitted(run_id, duplicate=duplicate, view=view):
                if duplicate:
                    # It was admitted before, and not told of: what its spec asks for besides is seen to next.
                    self._requeue(key, 0)
                self._dependents.depend(key)
                self._effects.mirror(run_id, key)
                if view is not None and not view.phase.is_final:
                    # It is at hand: nobody has to look at the run because it began.
                    effects = replace(effects, runs=effects.runs - {run_id})
                await self._effects.handle(effects)
                # The first status that is worth a write is the one with the Job under way, a moment later.
                self._mirrors[run.metadata.uid] = _Mirror(run_id, self._monotonic())
                return view or await self._engine.run_view(tenant.workspace_id, run_id)
            case Refused(reason, message) if reason in FINAL_REFUSALS:
                await self._status.write(WORKFLOW_RUNS, live, self._without_run(run, RunPhase.FAILED, reason, message))
            case Refused(reason, message, until) if reason in REJECTIONS:
                waiting = (WaitingFor(reason=reason, message=message[:1024], until=seconds(until)),)
                status = self._without_run(run, RunPhase.FAILED, reason, message, waiting)
                await self._status.write(WORKFLOW_RUNS, live, status)
            case Refused(reason, message):
                self._dependents.depend(key, WORKFLOWS.key(request.workflow, key.namespace))
                await self._wait(key, live, run, reason, message)
        return None

    async def _mirror(self, key: Key, live: Object, run: WorkflowRun, view: RunView) -> None:
        uid, now = run.metadata.uid, self._monotonic()
        status = mirrored(run, view, self._wall())
        may_wait = patience(run.status, status, beside=self._effects.open_in(key.namespace))
        known = self._mirrors.get(uid) or _Mirror(view.run_id, float("-inf"))
        since = None if not is_minor(run.status, status) else known.minor if known.minor is not None else now
        self._mirrors[uid] = replace(known, minor=since)
        due = (known.told if since is None else since) + may_wait.total_seconds()
        if now < due:
            self._requeue(key, due - now)
            return
        written = await self._status.write(WORKFLOW_RUNS, live, status)
        if view.phase.is_final:
            self._mirrors.pop(uid, None)
            self._effects.forget(view.run_id)
        elif written:
            self._mirrors[uid] = _Mirror(view.run_id, self._monotonic())

    async def _wait(
        self, key: Key, live: Object, run: WorkflowRun, reason: str, message: str, phase: RunPhase | None = None
    ) -> None:
        await self._say_waiting(live, run, reason, message, phase)
        self._requeue(key, WAIT_SECONDS)

    async def _say_waiting(
        self, live: Object, run: WorkflowRun, reason: str, message: str, phase: RunPhase | None = None
    ) -> None:
        waiting = (WaitingFor(reason=reason, message=message[:1024]),)
        status = self._without_run(run, phase or run.status.phase or RunPhase.PENDING, reason, message, waiting)
        await self._status.write(WORKFLOW_RUNS, live, status)

    async def _invalid(self, live: Object, message: str) -> None:
        generation = live["metadata"].get("generation", 1)
        status = WorkflowRunStatus(
            observed_generation=generation,
            conditions=not_ready((), Reason.INVALID_SPEC, message, generation, self._wall(), stalled=True),
            phase=RunPhase.FAILED,
        )
        await self._status.write(WORKFLOW_RUNS, live, status)

    def _without_run(
        self, run: WorkflowRun, phase: RunPhase, reason: str, message: str, waiting: tuple[WaitingFor, ...] = ()
    ) -> WorkflowRunStatus:
        """The status while there is no run to mirror, or none can be read: what was mirrored before stays."""
        conditions = not_ready(
            run.status.conditions, reason, message, run.metadata.generation, self._wall(), stalled=phase.is_final
        )
        changes: dict[str, Any] = {
            "observed_generation": run.metadata.generation,
            "conditions": conditions,
            "phase": phase,
            "waiting_for": waiting,
            "waiting": waiting_column(waiting),
        }
        return run.status.model_copy(update=changes)


def is_settled(live: Object) -> bool:
    """Whether the WorkflowRun's status says the end of what its spec asks for: no query, no write is left to do."""
    seen = (live.get("status") or {}).get("observedGeneration")
    return is_final(live) and seen == live["metadata"].get("generation", 1)


def is_final(live: Object) -> bool:
    """Whether the WorkflowRun's status says that its run has ended."""
    phase = (live.get("status") or {}).get("phase")
    return phase in {phase.value for phase in RunPhase if phase.is_final}


def _is_new(run: WorkflowRun) -> bool:
    """Whether nothing was ever told of the run, and its spec asks for no more than that it begins.

    Then there is next to always none, and to admit one finds out where there is.
    """
    return run.status.phase is None and not (run.spec.suspend or run.spec.cancel or run.spec.cancel_now)


def _run_id(text: str | None) -> UUID | Refused | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        return Refused(UNKNOWN_RUN, f"{text!r} is not the id of a run: status.runId of a WorkflowRun is one")
