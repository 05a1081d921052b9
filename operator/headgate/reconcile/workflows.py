"""Workflow: every accepted spec becomes a version; schedules are kept by the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from headgate.api.base import Condition
from headgate.api.workflow import Workflow, WorkflowSpec, WorkflowStatus
from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.resources import WORKFLOWS
from headgate.desired.keys import NAMESPACE
from headgate.domain import input_schemas, schedule, triggers
from headgate.domain.conditions import not_ready, ready
from headgate.domain.reasons import Reason
from headgate.domain.run_status import seconds
from headgate.engine.engine import Engine
from headgate.engine.types import DefinitionError, ScheduleView
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.keys import Key
from headgate.reconcile.parsing import InvalidResource, parse
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.tenants import NoTenant, Tenant, Tenants
from headgate.store.errors import DatabaseUnavailable

WAIT_SECONDS = 15.0


class Checker(Protocol):
    """Finds what is wrong with expressions before a run does."""

    async def problems(self, spec: WorkflowSpec) -> Sequence[str]:
        """What is wrong, each naming the node and what to change; empty when all is good."""
        ...


class WorkflowReconciler:
    """Records versions. Costs one transaction per changed spec, and one status write per version or tick."""

    def __init__(
        self,
        cache: Cache,
        engine: Engine,
        tenants: Tenants,
        status: StatusWriter,
        checker: Checker,
        *,
        dependents: Dependents,
        requeue: Callable[[Key, float], None],
        park: Callable[[Key], None],
        wall: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._engine = engine
        self._tenants = tenants
        self._status = status
        self._checker = checker
        self._dependents = dependents
        self._requeue = requeue
        self._park = park
        self._wall = wall

    async def reconcile(self, key: Key) -> None:
        """Bring one Workflow into the engine, or out of it when it is gone."""
        live = self._cache.get(key.object_key)
        if live is None or live["metadata"].get("deletionTimestamp"):
            await self._retire(key)
            return
        generation = live["metadata"].get("generation", 1)
        try:
            workflow = parse(Workflow, live)
        except InvalidResource as error:
            conditions = not_ready((), Reason.INVALID_SPEC, str(error), generation, self._wall(), stalled=True)
            await self._status.write(
                WORKFLOWS, live, WorkflowStatus(observed_generation=generation, conditions=conditions)
            )
            return
        try:
            tenant = await self._tenants.of_namespace(key.namespace)
            trouble = (
                schedule_problem(workflow.spec)
                or trigger_problem(key.name, workflow.spec)
                or input_problem(workflow.spec)
                or await self._expression_problem(workflow.spec)
            )
            if trouble is not None:
                await self._refuse(live, workflow, *trouble, stalled=True)
                return
            version = await self._engine.record_version(tenant.workspace_id, key.namespace, key.name, workflow.spec)
            schedules = await self._schedules(tenant, key, workflow)
        except DefinitionError as error:
            await self._refuse(live, workflow, Reason.INVALID_SPEC, str(error), stalled=True)
            return
        except NoTenant as error:
            await self._refuse(live, workflow, Reason.NO_WORKSPACE, str(error), stalled=False)
            self._dependents.depend(key, NAMESPACE.key(key.namespace))
            self._requeue(key, WAIT_SECONDS)
            return
        except DatabaseUnavailable as error:
            self._park(key)
            message = f"the spec is recorded once Postgres can be used: {error}"
            await self._refuse(live, workflow, Reason.DATABASE_UNAVAILABLE, message, stalled=False)
            return
        reason, message = Reason.RECONCILED, f"version {version.number} is current"
        if workflow.spec.suspend:
            reason, message = Reason.SUSPENDED, "no new run starts because spec.suspend is true"
            if schedules.next_tick is not None:
                message += (
                    f"; ticks from {schedules.next_tick:%Y-%m-%dT%H:%M:%SZ} on wait, and missedRuns decides on them"
                )
        for trigger, why in schedules.errors.items():
            message = f"{message}; {trigger} fired last without making a run: {why}"
        conditions = ready(workflow.status.conditions, reason, message, generation, self._wall())
        await self._write(
            live,
            workflow,
            conditions,
            version=version.number,
            version_hash=version.content_hash,
            next_schedule_time=seconds(None if workflow.spec.suspend else schedules.next_tick),
            last_schedule_time=seconds(schedules.last_tick) or workflow.status.last_schedule_time,
        )
        self._dependents.depend(key)
        self._dependents.wake(key.object_key)

    async def _schedules(self, tenant: Tenant, key: Key, workflow: Workflow) -> ScheduleView:
        if all(node.config.schedule is None and node.config.event is None for node in workflow.spec.nodes):
            return ScheduleView(last_tick=None, next_tick=None, errors={})
        return await self._engine.schedule_view(tenant.workspace_id, key.namespace, key.name)

    async def _expression_problem(self, spec: WorkflowSpec) -> tuple[str, str] | None:
        problems = await self._checker.problems(spec)
        return (Reason.INVALID_EXPRESSION, "; ".join(problems)[:1500]) if problems else None

    async def _refuse(self, live: Object, workflow: Workflow, reason: str, message: str, *, stalled: bool) -> None:
        if workflow.status.version and stalled:
            message = f"{message}. Version {workflow.status.version} stays current"
        conditions = not_ready(
            workflow.status.conditions, reason, message, workflow.metadata.generation, self._wall(), stalled=stalled
        )
        await self._write(live, workflow, conditions)

    async def _write(self, live: Object, workflow: Workflow, conditions: tuple[Condition, ...], **changes: Any) -> None:
        update = {"observed_generation": workflow.metadata.generation, "conditions": conditions, **changes}
        await self._status.write(WORKFLOWS, live, workflow.status.model_copy(update=update))

    async def _retire(self, key: Key) -> None:
        try:
            tenant = await self._tenants.of_namespace(key.namespace)
        except NoTenant:
            return
        await self._engine.retire_workflow(tenant.workspace_id, key.namespace, key.name)


def trigger_problem(name: str, spec: WorkflowSpec) -> tuple[str, str] | None:
    """Reason and message of the first event that cannot start the workflow."""
    problem = triggers.problem(name, spec)
    return None if problem is None else (Reason.INVALID_TRIGGER, problem)


def input_problem(spec: WorkflowSpec) -> tuple[str, str] | None:
    """Reason and message of the first input whose schema cannot be used."""
    for declared in spec.inputs:
        if (problem := input_schemas.problem(declared)) is not None:
            return Reason.INVALID_INPUT_SCHEMA, problem
    return None


def schedule_problem(spec: WorkflowSpec) -> tuple[str, str] | None:
    """Reason and message of the first schedule that cannot work."""
    for node in spec.nodes:
        if node.config.schedule is not None and (problem := schedule.validate(node.config.schedule)) is not None:
            return Reason.INVALID_SCHEDULE, f"node {node.id}: {problem}"
    return None
