"""One attempt of one node: how it is named, what it is to do, how it ended, and why it waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.api.builtin import Script
from headgate.api.node import Container
from headgate.domain.cost import Footprint
from headgate.domain.measured import Measured

OUTPUT_BYTES = 4096
"""The kubelet keeps this much of a termination message."""


@dataclass(frozen=True)
class TaskRef:
    """One attempt of one node of one run."""

    workspace_id: UUID
    run_id: UUID
    node: str
    attempt: int


@dataclass(frozen=True)
class ClaimTerms:
    """By whom attempts are claimed that become Jobs, and on which terms."""

    holder: str
    limit: int
    """How many at a time at most."""
    lease: timedelta = timedelta(seconds=15)
    """How long they are the holder's."""
    unscheduled: int = 50
    """How many pods of a workspace may find no room on the nodes before its others wait in the queue."""


@dataclass(frozen=True)
class JobTask:
    """An attempt that is to become a Job. Every claim of it carries the same content, whoever claims it."""

    ref: TaskRef
    workspace: str
    namespace: str
    workflow: str
    does: Container | Script
    """With all expressions already replaced. A script is one of a Test or Debug run: others are executed by runners."""
    timeout_seconds: int
    job_uid: str | None = None
    """Set once the Job is known to exist: if it is gone then, it was deleted, and is not created again."""
    stopping: bool = False
    """Whether it was asked to end, so that its Job is to be ended where it still runs."""
    mode: str | None = None
    """Test or Debug, where the run is one."""

    @property
    def container(self) -> Container:
        """What the node runs. Raises ``TypeError`` for a script."""
        if not isinstance(self.does, Container):
            raise TypeError(f"node {self.ref.node} runs a script")
        return self.does


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    succeeded: bool
    output: Any = None
    """JSON, at most 4 KB from a termination message."""
    reason: str = ""
    """One stable word for a failure: ExitCode, OOMKilled, Timeout, JobDeleted, InvalidOutput, InvalidExpression..."""
    message: str = ""
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    footprint: Footprint | None = field(default=None, compare=False)
    """What it held, where that is known."""
    used: Measured | None = field(default=None, compare=False)
    """What it used in the mean, where that was measured."""


@dataclass(frozen=True)
class Waiting:
    """Why a run, or one of its nodes, does not go on right now."""

    reason: str
    message: str = ""
    node: str | None = None
    until: datetime | None = None
