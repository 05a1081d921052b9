"""What becomes of a Workflow is told in its status, and whoever waits for it looks again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from headgate.api.workflow import WorkflowSpec
from headgate.cluster.cache import Cache
from headgate.cluster.resources import QUOTAS, WORKFLOWS, WORKSPACES
from headgate.desired.keys import NAMESPACE
from headgate.desired.manifest import MANAGED_BY, MANAGED_BY_LABEL, WORKSPACE_LABEL
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import DefinitionError, ScheduleView
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.tenants import Tenants
from headgate.reconcile.workflows import WAIT_SECONDS, WorkflowReconciler
from headgate.reconcile.workloads import Workloads
from headgate.store.errors import DatabaseUnavailable
from tests.builders import WorkflowBuilder, a_quota, a_workflow, a_workspace
from tests.support.cluster import condition
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine, FakeWorkflows

KEY, WAITING = Key(Topic.WORKFLOW, "nightly", "acme"), Key(Topic.RUN, "nightly-1", "acme")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Checker:
    """Finds in expressions what the test says."""

    found: Sequence[str] = ()

    async def problems(self, spec: WorkflowSpec) -> Sequence[str]:
        return self.found


class World:
    """A Workflow in a namespace of a Workspace, and a run that waits for it."""

    def __init__(self, workflow: WorkflowBuilder | None = None, *, owned: bool = True) -> None:
        self.kube, self.cache, self.engine, self.checker = FakeKube(), Cache(), FakeEngine(), Checker()
        self.workflows = self.engine.workflows = FakeWorkflows(self.engine)
        self.enqueued: list[Key] = []
        self.again: dict[Key, float] = {}
        self.parked: list[Key] = []
        effects = EffectHandler(
            Workloads(self.kube, self.cache, ttl_seconds=60),
            lambda _: None,
            RunMetrics(CollectorRegistry(), lambda _: None),
            later=lambda _key, _seconds: None,
        )
        self.dependents = Dependents(self.enqueued.append)
        self.dependents.depend(WAITING, KEY.object_key)
        self.reconciler = WorkflowReconciler(
            self.cache,
            self.workflows,
            Tenants(self.cache, self.engine.workspaces, effects),
            StatusWriter(self.kube, self.cache, identity="me", wall=lambda: NOON),
            self.checker,
            dependents=self.dependents,
            requeue=self.again.__setitem__,
            park=self.parked.append,
            wall=lambda: NOON,
        )
        self.cache.upsert(QUOTAS, self.kube.put(QUOTAS, a_quota("team").manifest(), generation=1))
        workspace = a_workspace("acme").manifest()
        self.cache.upsert(WORKSPACES, self.kube.put(WORKSPACES, workspace, generation=1))
        if owned:
            labels = {WORKSPACE_LABEL: "acme", MANAGED_BY_LABEL: MANAGED_BY}
            namespace = {"metadata": {"name": "acme", "labels": labels}}
            self.cache.upsert(NAMESPACE, self.kube.put(NAMESPACE, namespace))
        self.given(workflow or a_workflow("nightly", "acme"))

    def given(self, workflow: WorkflowBuilder, generation: int = 1, **members: Any) -> None:
        """The Workflow is so, and keeps the status that it has."""
        status = {"status": self.status} if self.kube.objects.get(KEY.object_key) else {}
        live = self.kube.put(WORKFLOWS, workflow.manifest() | status | members, generation=generation)
        self.cache.upsert(WORKFLOWS, live)

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.kube.objects[KEY.object_key].get("status") or {})

    async def reconcile(self) -> tuple[str, str, bool]:
        """Reason and message of Ready, and whether waiting is no use."""
        await self.reconciler.reconcile(KEY)
        live = self.kube.objects[KEY.object_key]
        told = condition(live, "Ready")
        return told["reason"], told["message"], condition(live, "Stalled").get("status") == "True"


def scheduled() -> WorkflowBuilder:
    return a_workflow("nightly", "acme").with_schedule("daily", "0 3 * * *")


async def test_what_is_accepted_is_a_version_and_wakes_who_waits_for_it() -> None:
    world = World()

    assert await world.reconcile() == ("Reconciled", "version 3 is current", False)
    assert (world.status["version"], world.status["versionHash"], world.status["observedGeneration"]) == (3, "cafe", 1)
    assert world.enqueued == [WAITING]


async def test_ticks_are_told_and_one_that_made_no_run_says_why() -> None:
    world = World(scheduled())
    world.workflows.ticks = ScheduleView(NOON, NOON + timedelta(hours=15), {"daily": "DailyLimit: all used"})

    _, message, _ = await world.reconcile()

    assert message == "version 3 is current; daily fired last without making a run: DailyLimit: all used"
    assert (world.status["lastScheduleTime"], world.status["nextScheduleTime"]) == (
        "2026-03-01T12:00:00Z",
        "2026-03-02T03:00:00Z",
    )


async def test_one_that_is_suspended_says_from_when_on_ticks_wait() -> None:
    world = World(scheduled().with_spec(suspend=True))
    world.workflows.ticks = ScheduleView(None, NOON + timedelta(hours=15), {})

    reason, message, _ = await world.reconcile()

    assert reason == "Suspended"
    assert "ticks from 2026-03-02T03:00:00Z on wait" in message
    assert "nextScheduleTime" not in world.status


async def test_the_last_tick_stays_told_when_nobody_knows_a_later_one() -> None:
    world = World(scheduled())
    world.workflows.ticks = ScheduleView(NOON, None, {})
    await world.reconcile()
    world.workflows.ticks = ScheduleView(None, None, {})

    await world.reconcile()

    assert world.status["lastScheduleTime"] == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("workflow", "found", "refusal", "reason"),
    [
        (a_workflow("nightly", "acme").with_schedule("daily", "0 3 31 2 *"), (), None, "InvalidSchedule"),
        (a_workflow("nightly", "acme"), ("node a: no such name",), None, "InvalidExpression"),
        (a_workflow("nightly", "acme"), (), DefinitionError("too much"), "InvalidSpec"),
    ],
    ids=["schedule", "expression", "definition"],
)
async def test_what_cannot_run_is_refused_and_the_version_before_stays(
    workflow: WorkflowBuilder, found: Sequence[str], refusal: Exception | None, reason: str
) -> None:
    world = World()
    await world.reconcile()
    world.enqueued.clear()
    world.given(workflow, generation=2)
    world.checker.found = found
    if refusal is not None:
        world.engine.fail(refusal)

    told, message, stalled = await world.reconcile()

    assert (told, stalled) == (reason, True)
    assert message.endswith(". Version 3 stays current")
    assert (world.status["version"], world.status["observedGeneration"]) == (3, 2)
    assert world.enqueued == []


async def test_a_spec_that_cannot_be_read_is_told_and_nothing_recorded() -> None:
    world = World()
    world.given(a_workflow("nightly", "acme"), generation=2, spec={"nodes": "none"})

    reason, _, stalled = await world.reconcile()

    assert (reason, stalled, world.status["observedGeneration"]) == ("InvalidSpec", True, 2)
    assert world.engine.told == []


async def test_without_a_workspace_it_waits_for_its_namespace_to_belong_to_one() -> None:
    world = World(owned=False)

    reason, _, stalled = await world.reconcile()

    assert (reason, stalled) == ("NoWorkspace", False)
    assert world.again == {KEY: WAIT_SECONDS}
    assert world.dependents.of(NAMESPACE.key("acme")) == (KEY,)


async def test_without_postgres_it_is_recorded_once_that_is_back() -> None:
    world = World()
    world.engine.fail(DatabaseUnavailable("no route"))

    reason, _, stalled = await world.reconcile()

    assert (reason, stalled) == ("DatabaseUnavailable", False)
    assert world.parked == [KEY]


async def test_one_that_is_gone_is_retired() -> None:
    world = World()
    await world.reconcile()
    world.cache.remove(WORKFLOWS, world.kube.vanish(WORKFLOWS, "nightly", "acme"))

    await world.reconciler.reconcile(KEY)

    assert world.engine.told[-1] == ("retired", "acme", "nightly")
