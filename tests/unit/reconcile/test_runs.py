"""What a WorkflowRun's look costs before there is anything to tell of its run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock, Mock
from uuid import UUID

from prometheus_client import CollectorRegistry

from headgate.api.workflow_run import RunPhase
from headgate.cluster.cache import Cache
from headgate.cluster.resources import QUOTAS, WORKFLOW_RUNS, WORKSPACES
from headgate.desired.keys import NAMESPACE
from headgate.engine.run_control import RunControl
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.starting.handing import Waiters
from headgate.engine.types import Admitted, Effects, NoRoom, Refused, RunRequest, RunView, TriggerKind
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.runs import WAIT_SECONDS, RunReconciler
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.tenants import Tenants
from headgate.reconcile.workloads import Workloads
from tests.builders import RunBuilder, a_quota, a_run, a_workspace
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine
from tests.workload_builders import RUN_ID, WORKSPACE_ID, an_owned_namespace

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = Key(Topic.RUN, "nightly-1", "acme")


class Engine(FakeEngine):
    """Has the run once it was admitted, or from the start."""

    def __init__(self, *, earlier: bool) -> None:
        super().__init__()
        self.control = Mock(spec=RunControl)
        self.there = earlier
        self.phase = RunPhase.RUNNING

    async def run_by_key(self, workspace_id: UUID, trigger_key: str) -> RunView | None:
        self.note("by key")
        return replace(a_view(), phase=self.phase) if self.there else None

    async def run_view(self, workspace_id: UUID, run_id: UUID) -> RunView | None:
        self.note("view")
        return replace(a_view(), phase=self.phase)

    async def admit(self, request: RunRequest, waiters: Waiters | None = None) -> tuple[Admitted | Refused, Effects]:
        assert waiters is None
        self.note("admit")
        duplicate, self.there = self.there, True
        return Admitted(RUN_ID, duplicate=duplicate, view=None if duplicate else a_view()), Effects()


def a_view() -> RunView:
    """A run that is under way, of which there is nothing more to tell."""
    return RunView(
        workspace_id=WORKSPACE_ID,
        run_id=RUN_ID,
        namespace="acme",
        workflow="nightly",
        version=1,
        resource="nightly-1",
        phase=RunPhase.RUNNING,
        started_at=NOON,
        finished_at=None,
        nodes=(),
        waiting=(),
        error_message=None,
        outputs=None,
        kind=TriggerKind.RESOURCE,
    )


class World:
    """A WorkflowRun in a namespace of a workspace, and who looks at it."""

    def __init__(self, run: RunBuilder, *, earlier: bool = False, phase: str | None = None) -> None:
        self.kube, self.cache, self.engine = FakeKube(), Cache(), Engine(earlier=earlier)
        self.later: list[tuple[Key, float]] = []
        for resource, item in (
            (QUOTAS, a_quota("team").manifest()),
            (WORKSPACES, a_workspace("acme").manifest()),
            (WORKFLOW_RUNS, run.manifest() | ({"status": {"phase": phase}} if phase is not None else {})),
        ):
            self.cache.upsert(resource, self.kube.put(resource, item, generation=1))
        self.cache.upsert(NAMESPACE, an_owned_namespace("acme"))
        effects = EffectHandler(
            Workloads(self.kube, self.cache, ttl_seconds=60),
            lambda _: None,
            RunMetrics(CollectorRegistry(), lambda _: None),
            later=lambda _key, _seconds: None,
        )
        self.reconciler = RunReconciler(
            self.cache,
            self.engine,
            Tenants(self.cache, self.engine.workspaces, effects),
            effects,
            StatusWriter(self.kube, self.cache, identity="me", wall=lambda: NOON),
            dependents=Dependents(lambda _: None),
            requeue=lambda key, seconds: self.later.append((key, seconds)),
            park=lambda _: None,
            wall=lambda: NOON,
            monotonic=lambda: 0.0,
        )

    @property
    def status(self) -> dict[str, Any]:
        """What the WorkflowRun tells."""
        status: dict[str, Any] = self.kube.objects[WORKFLOW_RUNS.key("nightly-1", "acme")]["status"]
        return status

    async def look(self) -> list[str]:
        """What the engine is asked."""
        self.engine.told.clear()
        await self.reconciler.reconcile(KEY)
        return [str(told[0]) for told in self.engine.told if told[0] != "sync"]


async def test_of_a_new_one_nobody_asks_whether_its_run_is_there_before_it_is_admitted() -> None:
    assert await World(a_run()).look() == ["admit"]


async def test_one_that_is_there_is_found_by_that_too_and_steered_next() -> None:
    world = World(a_run(), earlier=True)

    assert await world.look() == ["admit", "view"]
    assert (KEY, 0) in world.later
    assert await world.look() == ["view"]


async def test_one_that_was_told_of_is_looked_up() -> None:
    assert await World(a_run(), earlier=True, phase="Pending").look() == ["by key"]


async def test_so_is_one_that_is_not_to_begin() -> None:
    assert await World(a_run().with_spec(suspend=True)).look() == ["by key"]


async def test_one_that_cannot_be_retried_yet_says_why_and_is_retried_later() -> None:
    world = World(a_run().with_spec(mode="Test", retry=1), earlier=True, phase="Failed")
    world.engine.phase = RunPhase.FAILED
    retry = AsyncMock(side_effect=[NoRoom(Refused("TestLimit", "five are under way")), Effects()])
    world.engine.control = Mock(spec=RunControl, retry=retry)

    await world.look()

    assert (world.status["phase"], world.status["waiting"]) == ("Pending", "TestLimit")
    assert world.later == [(KEY, WAIT_SECONDS)]

    await world.look()

    assert retry.call_count == 2, "it is looked at again, whatever its status says"
