"""The engine as reconciliation sees it: it notes what it is told, and answers what the test says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.api.container import SecretKeyRef
from headgate.api.workflow import WorkflowSpec
from headgate.domain.cost import Footprint
from headgate.domain.runner_task import OpenRunnerTask
from headgate.domain.task import Outcome, TaskRef, Waiting
from headgate.engine.engine import Engine
from headgate.engine.reading.analytics import Analytics
from headgate.engine.reading.step_logs import StepLogs
from headgate.engine.steps.left_files import LeftFiles
from headgate.engine.steps.runner_tasks import RunnerTasks
from headgate.engine.types import Effects, Fired, ScheduleView, VersionRecord, WorkspaceRecord, WorkspaceUsage
from headgate.engine.webhooks.deliveries import Deliveries
from headgate.engine.workflows import Workflows
from headgate.engine.workspaces import Workspaces


class FakeEngine(Engine):
    """``told`` holds what it was told, in order; ``effects`` is what every use case answers."""

    def __init__(self) -> None:
        self.workspaces = FakeWorkspaces(self)
        self.workflows = FakeWorkflows(self)
        self.runner_tasks = FakeRunnerTasks(self)
        self.logs = FakeStepLogs(self)
        self.deliveries = FakeDeliveries(self)
        self.analytics = FakeAnalytics()
        self.left_files = FakeLeftFiles()
        self.told: list[tuple[Any, ...]] = []
        self.effects = Effects()
        self.failures: list[Exception] = []
        self.running = 0
        self.chained = Fired(self.effects, frozenset(), None)
        self.room = True
        self.runner_work: tuple[OpenRunnerTask, ...] = ()
        self.ahead = 3
        self.nodes = frozenset[str]()
        self.secrets: tuple[SecretKeyRef, ...] = ()
        self.used: tuple[WorkspaceUsage, ...] = ()
        self.settled: frozenset[TaskRef] = frozenset()

    def fail(self, *errors: Exception) -> None:
        """The next use cases fail so."""
        self.failures.extend(errors)

    def note(self, *what: Any) -> Effects:
        """Be told so."""
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(what)
        return self.effects

    async def complete(self, ref: TaskRef, outcome: Outcome) -> Effects:
        return self.note("complete", ref, outcome)

    async def mark_running(self, ref: TaskRef, started_at: datetime, footprint: Footprint | None = None) -> Effects:
        return self.note("running", ref, started_at)

    async def record_waiting(self, ref: TaskRef, waiting: Waiting | None) -> Effects:
        return self.note("waiting", ref, waiting)

    async def chain_runs(self, now: datetime) -> Fired:
        self.note("chain", now)
        return self.chained

    async def take_over_chaining(self, now: datetime) -> int:
        self.note("take over", now)
        return 0

    async def ensure_partitions(self, now: datetime) -> int:
        return 0

    async def partitions_ahead(self, now: datetime) -> int:
        return self.ahead


class FakeWorkspaces(Workspaces):
    """Tells the engine what it is told, and answers what that has."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def sync(self, record: WorkspaceRecord) -> UUID:
        self._engine.note("sync", record)
        return UUID(int=1)

    async def usage(self) -> tuple[WorkspaceUsage, ...]:
        if self._engine.failures:
            raise self._engine.failures.pop(0)
        return self._engine.used

    async def running_runs(self, name: str) -> int:
        return self._engine.running

    async def suspend(self, name: str) -> None:
        self._engine.note("suspend", name)

    async def retire(self, name: str) -> Effects:
        return self._engine.note("retire", name)


class FakeWorkflows(Workflows):
    """Records every spec as version 3; ``ticks`` is what it tells of schedules."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.ticks = ScheduleView(None, None, {})

    async def record(self, workspace_id: UUID, namespace: str, name: str, spec: WorkflowSpec) -> VersionRecord:
        self._engine.note("version", namespace, name)
        return VersionRecord(UUID(int=1), UUID(int=2), 3, "cafe")

    async def schedules(self, workspace_id: UUID, namespace: str, name: str) -> ScheduleView:
        return self.ticks

    async def retire(self, workspace_id: UUID, namespace: str, name: str) -> None:
        self._engine.note("retired", namespace, name)


class FakeRunnerTasks(RunnerTasks):
    """Tells the engine what it is told, and answers what that has."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def open(self) -> tuple[OpenRunnerTask, ...]:
        if self._engine.failures:
            raise self._engine.failures.pop(0)
        return self._engine.runner_work

    async def release(self, workspace_id: UUID, run_id: UUID, holders: str) -> int:
        self._engine.note("release", run_id, holders)
        return 1

    async def nodes(self, workspace_id: UUID, run_id: UUID) -> frozenset[str]:
        return self._engine.nodes

    async def secrets(self, workspace_id: UUID, run_id: UUID) -> tuple[SecretKeyRef, ...]:
        return self._engine.secrets


class FakeDeliveries(Deliveries):
    """Forgets deliveries; there are more as often as that says so."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.more = 0

    async def forget_old(self, now: datetime) -> tuple[int, bool]:
        self._engine.note("forget", now)
        self.more -= 1
        return 0, self.more >= 0


class FakeLeftFiles(LeftFiles):
    """Of whose files nothing is left behind."""

    def __init__(self) -> None:
        pass

    async def owners_of_unnoted(self) -> list[UUID]:
        return []


class FakeAnalytics(Analytics):
    """Has nothing to add up."""

    def __init__(self) -> None:
        """With no database."""

    async def fold(self) -> bool:
        return False

    async def keep_prices(self) -> bool:
        return False


class FakeStepLogs(StepLogs):
    """Tells the engine of logs; there is room for them as long as that says so."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def record(self, ref: TaskRef, path: str | None, size: int, *, truncated: bool, again: bool = False) -> bool:
        self._engine.note("log", ref, path, size, truncated)
        return self._engine.room

    async def settled(self, workspace_id: UUID, refs: Sequence[TaskRef], *, with_logs: bool) -> frozenset[TaskRef]:
        self._engine.note("settled", workspace_id, tuple(refs), with_logs)
        return self._engine.settled & frozenset(refs)
