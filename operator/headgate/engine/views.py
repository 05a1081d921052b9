"""What the engine shows of what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from headgate.api.circuit_breaker import BreakerState
from headgate.api.debugging import Breakpoint, RunMode
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.task import Waiting


class TriggerKind(StrEnum):
    """What asked for a run."""

    RESOURCE = "resource"
    SCHEDULE = "schedule"
    EVENT = "event"
    CALL = "call"
    API = "api"
    WEBHOOK = "webhook"


@dataclass(frozen=True)
class BreakerView:
    """A workspace's circuit breaker as recorded."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    """Failed runs that count within the window."""
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    """When runs are tried again; None while it is closed."""
    reset: str | None = None
    """The last token by which somebody closed it."""


@dataclass(frozen=True)
class RecordedWorkspace:
    """An active workspace."""

    workspace_id: UUID
    name: str
    suspended: bool


@dataclass(frozen=True)
class WorkspaceUsage:
    """What an active workspace uses right now."""

    workspace_id: UUID
    name: str
    pot: str | None
    running: int
    """Runs under way that have a place of their own."""
    pending: int
    """Runs that wait to start."""
    executions_today: int
    """Runs that started since midnight UTC."""
    storage_bytes: int
    breaker: BreakerView
    borrowed: int = 0
    """Runs under way in the places of others, which called them."""
    api_calls: int = 0
    """Calls of the API this hour, and those that are lent to the gateway."""
    spent: Decimal = Decimal(0)
    """What the attempts cost that ended this month."""


@dataclass(frozen=True)
class ComputeView:
    """CPU and memory of an attempt."""

    cpu: Decimal
    """CPUs."""
    memory: Decimal
    """Bytes."""


@dataclass(frozen=True)
class NodeView:
    """A node of a run as recorded: its latest attempt."""

    id: str
    phase: NodePhase
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    reason: str
    message: str
    output: Any = None
    cost: Decimal | None = None
    """What the attempt cost, once it has ended; None where it had no price."""
    price_version: str | None = None
    """The price table by which."""
    requested: ComputeView | None = None
    """What the attempt requests, as it was admitted; None where that is not known."""
    used: ComputeView | None = None
    """What the attempt was measured to use in the mean, once it has ended; None where it was not."""


@dataclass(frozen=True)
class RunView:
    """A run as recorded."""

    workspace_id: UUID
    run_id: UUID
    namespace: str
    workflow: str
    version: int
    resource: str | None
    phase: RunPhase
    started_at: datetime
    finished_at: datetime | None
    nodes: tuple[NodeView, ...]
    """In listed order; triggers left out."""
    waiting: tuple[Waiting, ...]
    error_message: str | None = None
    outputs: Mapping[str, Any] | None = None
    """What it gave, once it has succeeded."""
    retries: int = 0
    """How often its failed nodes were run again."""
    held: str | None = None
    """Why it is Suspended."""
    cancelling: bool = False
    """Whether it was asked to end."""
    priority: int = 0
    mode: RunMode = RunMode.NORMAL
    breakpoint: Breakpoint | None = None
    """Where it stands, if at one."""
    resumed: int = 0
    """The last number by which it was let go on to the next one."""
    stepped: int = 0
    """The last number by which it was let go on by a step."""
    kind: TriggerKind = TriggerKind.RESOURCE
    """What asked for it."""
    cost: Decimal | None = None
    """What its attempts cost that have ended, all of them; None where none had a price."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """By which it can be found."""
    inputs: Mapping[str, Any] | None = None
    """What it was given, where it is a Test or Debug run, for whoever looks at what it does."""
    archived: bool = False
    """Whether it lies in the archive: it can be read, and nothing else."""

    @property
    def at_breakpoint(self) -> bool:
        """Whether it stands at a breakpoint."""
        return self.breakpoint is not None


@dataclass(frozen=True)
class RunSummary:
    """A run in a list."""

    run_id: UUID
    namespace: str
    workflow: str
    version: int
    phase: RunPhase
    kind: TriggerKind
    resource: str | None
    started_at: datetime
    finished_at: datetime | None
    duration_ms: int | None
    error_message: str | None
    waiting: str | None = None
    """Why it has not started."""
    labels: Mapping[str, str] = field(default_factory=dict)
    mode: RunMode = RunMode.NORMAL


@dataclass(frozen=True)
class RunFilter:
    """Which runs to list; everything that is not said is left open."""

    phases: frozenset[RunPhase] = frozenset()
    workflow: tuple[str, str] | None = None
    """Namespace and name."""
    since: datetime | None = None
    """Asked for then, or later."""
    until: datetime | None = None
    """Asked for before then."""
    labels: tuple[tuple[str, str], ...] = ()
    """With all of these. The runs with the first one are looked through for the others: name the rarest first."""


@dataclass(frozen=True)
class WorkflowView:
    """A workflow that there is."""

    namespace: str
    name: str
    suspended: bool
    created_at: datetime
    version: int
    """Number of the version that new runs start with."""
    version_created_at: datetime
    content_hash: str
    """Of that version."""


@dataclass(frozen=True)
class RunPage:
    """Part of a list, newest first."""

    runs: tuple[RunSummary, ...]
    next_cursor: str | None
    """Opaque; gives the next part, or None at the end."""


@dataclass(frozen=True)
class ScheduleView:
    """The schedules of one workflow, taken together."""

    last_tick: datetime | None
    """The last tick that was acted on."""
    next_tick: datetime | None
    errors: Mapping[str, str]
    """Why the last tick or event of a trigger node made no run, for those where it did not."""
