"""Workflow: every accepted spec becomes a version; schedules are kept by the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from headgate.api.workflow import Workflow, WorkflowSpec
from headgate.cluster.cache import Cache
from headgate.cluster.resources import WORKFLOWS
from headgate.desired.keys import NAMESPACE
from headgate.domain.reasons import Reason
from headgate.domain.workflow_problems import problem_of_workflow
from headgate.engine.types import DefinitionError, ScheduleView
from headgate.engine.workflows import Workflows
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.keys import Key
from headgate.reconcile.parsing import InvalidResource, parse
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.tenants import NoTenant, Tenant, Tenants
from headgate.reconcile.workflow_status import Recorded, Refused, status_of, unreadable
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
        workflows: Workflows,
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
        self._workflows = workflows
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
        try:
            workflow = parse(Workflow, live)
        except InvalidResource as error:
            generation = live["metadata"].get("generation", 1)
            await self._status.write(WORKFLOWS, live, unreadable(generation, str(error), self._wall()))
            return
        outcome = await self._record(key, workflow)
        await self._status.write(WORKFLOWS, live, status_of(workflow, outcome, self._wall()))
        self._follow(key, outcome)

    async def _record(self, key: Key, workflow: Workflow) -> Recorded | Refused:
        """Make the spec the current version, where nothing is in the way."""
        try:
            tenant = await self._tenants.of_namespace(key.namespace)
            trouble = problem_of_workflow(key.name, workflow.spec) or await self._expression_problem(workflow.spec)
            if trouble is not None:
                return Refused(*trouble, stalled=True)
            version = await self._workflows.record(tenant.workspace_id, key.namespace, key.name, workflow.spec)
            return Recorded(version, await self._schedules(tenant, key, workflow))
        except DefinitionError as error:
            return Refused(Reason.INVALID_SPEC, str(error), stalled=True)
        except NoTenant as error:
            return Refused(Reason.NO_WORKSPACE, str(error), stalled=False)
        except DatabaseUnavailable as error:
            self._park(key)
            message = f"the spec is recorded once Postgres can be used: {error}"
            return Refused(Reason.DATABASE_UNAVAILABLE, message, stalled=False)

    def _follow(self, key: Key, outcome: Recorded | Refused) -> None:
        """See to it that whoever waits looks again: runs for the workflow, or it for its workspace."""
        if isinstance(outcome, Recorded):
            self._dependents.depend(key)
            self._dependents.wake(key.object_key)
        elif outcome.reason == Reason.NO_WORKSPACE:
            self._dependents.depend(key, NAMESPACE.key(key.namespace))
            self._requeue(key, WAIT_SECONDS)

    async def _schedules(self, tenant: Tenant, key: Key, workflow: Workflow) -> ScheduleView:
        if all(node.config.schedule is None and node.config.event is None for node in workflow.spec.nodes):
            return ScheduleView(last_tick=None, next_tick=None, errors={})
        return await self._workflows.schedules(tenant.workspace_id, key.namespace, key.name)

    async def _expression_problem(self, spec: WorkflowSpec) -> tuple[str, str] | None:
        problems = await self._checker.problems(spec)
        return (Reason.INVALID_EXPRESSION, "; ".join(problems)[:1500]) if problems else None

    async def _retire(self, key: Key) -> None:
        try:
            tenant = await self._tenants.of_namespace(key.namespace)
        except NoTenant:
            return
        await self._workflows.retire(tenant.workspace_id, key.namespace, key.name)
