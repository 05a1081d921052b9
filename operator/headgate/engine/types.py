"""What goes into the engine and comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from headgate.api.budget import Budget
from headgate.api.circuit_breaker import CircuitBreaker
from headgate.api.debugging import Debug, RunMode
from headgate.api.quota import Limits, OnExceeded
from headgate.api.retention import Retention
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.audit import Actor
from headgate.domain.task import ClaimTerms, JobTask, Outcome, TaskRef, Waiting
from headgate.engine.views import (
    BreakerView,
    ComputeView,
    NodeView,
    RecordedWorkspace,
    RunFilter,
    RunPage,
    RunSummary,
    RunView,
    ScheduleView,
    TriggerKind,
    WorkflowView,
    WorkspaceUsage,
)

__all__ = [
    "NO_EFFECTS",
    "Admitted",
    "BreakerView",
    "ClaimTerms",
    "Claimed",
    "ComputeView",
    "DefinitionError",
    "Effects",
    "Evaluator",
    "ExpressionError",
    "FinishedRun",
    "Fired",
    "JobTask",
    "LeaseLost",
    "NoRoom",
    "NodeView",
    "Outcome",
    "RecordedWorkspace",
    "Refused",
    "RunFilter",
    "RunPage",
    "RunRequest",
    "RunSummary",
    "RunView",
    "ScheduleView",
    "StepLog",
    "TaskRef",
    "TriggerKind",
    "VersionRecord",
    "VersionView",
    "Waiting",
    "WorkflowView",
    "WorkspaceRecord",
    "WorkspaceUsage",
]


class Evaluator(Protocol):
    """Evaluates CEL expressions away from the engine's own process."""

    async def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Any:
        """The JSON value of ``expression``. Raises ``ExpressionError`` with a message for the workflow's author."""
        ...

    async def evaluate_many(
        self, expressions: Sequence[str], variables: Mapping[str, Any]
    ) -> list[Any | ExpressionError]:
        """The value of each expression, or the error in its place, in order; cheaper than one by one."""
        ...


class ExpressionError(Exception):
    """An expression that cannot be evaluated; the message is for the workflow's author."""


@dataclass(frozen=True)
class WorkspaceRecord:
    """What the engine has to know of a workspace."""

    name: str
    limits: Limits
    suspended: bool
    on_exceeded: OnExceeded = OnExceeded.QUEUE
    pot: str | None = None
    """Name of the Quota whose limits all workspaces on it have together; None where the workspace has its own."""
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    retention: Retention = field(default_factory=Retention)
    budget: Budget | None = None
    """What its runs may cost in a month."""
    weight: int = 1
    """How many of its tasks are claimed for one of a workspace of weight 1, when both wait."""


@dataclass(frozen=True)
class VersionRecord:
    """An immutable version of a workflow."""

    workflow_id: UUID
    version_id: UUID
    number: int
    content_hash: str
    """SHA-256, in hexadecimal, of the canonical JSON of what runs depend on: the spec without ``suspend``."""


class DefinitionError(ValueError):
    """A workflow that cannot run as it is written; the message says what to change."""


class LeaseLost(Exception):  # noqa: N818 - a state of the world, not a mistake
    """An attempt that is not the caller's: it ended, was cancelled, or another one took it when the lease ran out."""

    def __init__(self, ref: TaskRef) -> None:
        super().__init__(f"attempt {ref.attempt} of node {ref.node} is not yours any more: give it up")


@dataclass(frozen=True)
class VersionView:
    """A version in a list."""

    number: int
    created_at: datetime
    content_hash: str
    current: bool
    """Whether new runs start with it."""


@dataclass(frozen=True)
class RunRequest:
    """Asks for a run of a workflow."""

    workspace_id: UUID
    namespace: str
    workflow: str
    kind: TriggerKind
    key: str
    """Makes the request unique in its workspace for ever: the same key never makes two runs."""
    trigger: str | None = None
    """The trigger node; the first manual one when None."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    resource: str | None = None
    """Name of the WorkflowRun that mirrors the run."""
    version: int | None = None
    """Number of the version; the current one when None."""
    mode: RunMode = RunMode.NORMAL
    debug: Debug | None = None
    """What a Test or Debug run does otherwise."""
    priority: int | None = None
    """The workflow's own when None."""
    replay_of: UUID | None = None
    """The run whose inputs and trigger it takes."""
    parent: TaskRef | None = None
    """The attempt of a node that calls it."""
    callers: tuple[UUID, ...] = ()
    """The runs that wait for its end, the one that calls it last."""
    depth: int = 0
    """How many runs called, or set off, each other up to this one."""
    event: Mapping[str, Any] | None = None
    """The end of another run that sets it off."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """By which it can be found."""
    by: Actor | None = None
    """Who asks, for the audit log; None where nobody did."""


@dataclass(frozen=True)
class Admitted:
    """The run exists: now, or since an earlier request with the same key."""

    run_id: UUID
    duplicate: bool
    view: RunView | None = field(default=None, compare=False)
    """The run as it was begun, where this request did so and it had to wait for nothing."""
    waits_for: str | None = field(default=None, compare=False)
    """In one word why it does not start yet, where this request made it and it does not."""


@dataclass(frozen=True)
class Refused:
    """There will be no run for this request as it is. Nothing was written."""

    reason: str
    message: str
    until: datetime | None = None
    """When it may succeed, where that is known."""


class NoRoom(Exception):  # noqa: N818 - a state of the world, not a mistake
    """A run that never waits as Pending cannot be retried now. Nothing was written, so that it may succeed later."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


@dataclass(frozen=True)
class Claimed:
    """Attempts that are the claimer's for the length of the lease."""

    tasks: tuple[JobTask, ...]
    next_due: datetime | None
    """When, as far as is known now, a task that was not due yet will be: a retry, or the end of another lease."""


@dataclass(frozen=True)
class FinishedRun:
    """A run that a transaction ended."""

    run_id: UUID
    namespace: str
    phase: RunPhase
    duration: timedelta
    """From when it was asked for to its end."""


@dataclass(frozen=True)
class Effects:
    """What a transaction of the engine changed that others must hear of."""

    runs: frozenset[UUID] = frozenset()
    """Runs whose view changed."""
    calm: frozenset[UUID] = frozenset()
    """Those of them of which nothing is new but that attempts have started, or wait for room."""
    tasks_queued: bool = False
    """Whether there is something new to claim."""
    for_runners: tuple[str, ...] = ()
    """What of it is for runners, and due: the kind of each, or every kind where that is not known."""
    to_chain: bool = False
    """Whether there may be a call to make, or an end of a run on which somebody acts: a look for them is due."""
    cancelled: tuple[TaskRef, ...] = ()
    """Attempts under way whose Jobs are to be ended."""
    stopping: tuple[TaskRef, ...] = ()
    """Attempts under way that are asked to end: their Jobs are to be ended, and their ends told as any other."""
    finished: tuple[FinishedRun, ...] = ()
    """Runs that ended, each told once; not at all where the process ended between the transaction and its answer."""
    breakers: frozenset[UUID] = frozenset()
    """Workspaces whose circuit breaker may be in another state."""

    def __or__(self, other: Effects) -> Effects:
        """Both together."""
        if other is NO_EFFECTS:
            return self
        return Effects(
            runs=self.runs | other.runs,
            calm=(self.calm | other.calm) - (self.runs - self.calm) - (other.runs - other.calm),
            tasks_queued=self.tasks_queued or other.tasks_queued,
            for_runners=self.for_runners + other.for_runners,
            to_chain=self.to_chain or other.to_chain,
            cancelled=self.cancelled + other.cancelled,
            stopping=self.stopping + other.stopping,
            finished=self.finished + other.finished,
            breakers=self.breakers | other.breakers,
        )


NO_EFFECTS = Effects()
"""Of what changed nothing that others must hear of."""


@dataclass(frozen=True)
class Fired:
    """What became of the schedules that were due."""

    effects: Effects
    workflows: frozenset[tuple[str, str]]
    """Namespace and name of the workflows whose schedules ticked."""
    next_due: datetime | None
    """When the next schedule ticks."""


@dataclass(frozen=True)
class StepLog:
    """What is kept of the log of an attempt."""

    ref: TaskRef
    phase: NodePhase
    path: str | None
    """In the object store; None where nothing is kept: it is empty, there is no room, or it is not there yet."""
    size: int | None
    """In bytes; None where its log was not looked at, or could not be read."""
    truncated: bool
    """Whether something was left out: all of it, where there is no path."""
    started_at: datetime | None = None
    """When the attempt began, as far as that is known."""


@dataclass(frozen=True)
class Execution:
    """Where an attempt is executed."""

    workspace: str
    namespace: str
    runner: str | None
    """The pod of the runner that has it; None for a pod of its own."""
