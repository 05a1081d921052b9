"""What goes into the engine and comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from headgate.api.quota import Limits
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.task import JobTask, Outcome, TaskRef, Waiting

__all__ = [
    "Admitted",
    "Effects",
    "Evaluator",
    "ExpressionError",
    "JobTask",
    "NodeView",
    "Outcome",
    "Refused",
    "RunRequest",
    "RunView",
    "TaskRef",
    "TriggerKind",
    "VersionRecord",
    "Waiting",
    "WorkspaceRecord",
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


@dataclass(frozen=True)
class VersionRecord:
    """An immutable version of a workflow."""

    workflow_id: UUID
    version_id: UUID
    number: int
    content_hash: str
    """SHA-256 of the canonical JSON of the spec, in hexadecimal."""


class TriggerKind(StrEnum):
    """What asked for a run."""

    RESOURCE = "resource"
    SCHEDULE = "schedule"


@dataclass(frozen=True)
class RunRequest:
    """Asks for a run of the current version of a workflow."""

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


@dataclass(frozen=True)
class Admitted:
    """The run exists: now, or since an earlier request with the same key."""

    run_id: UUID
    duplicate: bool


@dataclass(frozen=True)
class Refused:
    """There will be no run for this request as it is. Nothing was written but the reason in the audit trail."""

    reason: str
    message: str


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
    waiting: tuple[Waiting, ...]
    error_message: str | None = None


@dataclass(frozen=True)
class Effects:
    """What a transaction of the engine changed that others must hear of."""

    runs: frozenset[UUID] = frozenset()
    """Runs whose view changed."""
    tasks_queued: bool = False
    """Whether there is something new to claim."""
    cancelled: tuple[TaskRef, ...] = ()
    """Attempts under way whose Jobs are to be ended."""

    def __or__(self, other: Effects) -> Effects:
        """Both together."""
        return Effects(
            self.runs | other.runs, self.tasks_queued or other.tasks_queued, self.cancelled + other.cancelled
        )
