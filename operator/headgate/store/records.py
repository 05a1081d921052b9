"""Rows on their way in and out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from headgate.domain.runner_task import KINDS


@dataclass(frozen=True)
class StepRow:
    """An attempt of a node, or the reason why it needed none (attempt 0)."""

    node: str
    attempt: int
    phase: str
    branch: str | None = None
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    output: Any = None
    attempt_started_at: datetime | None = None
    attempt_finished_at: datetime | None = None
    replaces: int = 0
    """Bytes of an earlier output of the attempt that this one is written over."""
    hourly_rate: Decimal | None = None
    """What an hour of the attempt costs, which counts where no price was kept before."""
    price_version: str | None = None

    @property
    def bytes(self) -> int:
        """What its output takes of the workspace's storage, more than before."""
        return size(self.output) - self.replaces


@dataclass(frozen=True)
class TaskRow:
    """An attempt to be queued."""

    node: str
    attempt: int
    work: Mapping[str, Any]
    """The node's config, with all expressions replaced."""
    timeout_seconds: int
    due_at: datetime | None
    """When it may be claimed; None where nobody has to claim it."""
    waiting_reason: str | None = None
    waiting_message: str | None = None
    waiting_until: datetime | None = None
    kind: str = "job"
    """Who does it: job, runner, call or approval."""
    first_attempt: int = 1
    """The attempt from which retries count."""


def for_runners(tasks: Iterable[TaskRow]) -> tuple[str, ...]:
    """The kinds of those that are for runners, and due at once."""
    due = (task for task in tasks if task.kind == "runner" and task.waiting_until is None)
    return tuple(kind for task in due for kind in KINDS if kind in task.work)


@dataclass(frozen=True)
class RunKey:
    """Where a run lies: ``started_at`` is the time in ``id``, which leads to its partition."""

    workspace_id: UUID
    id: UUID
    started_at: datetime

    def parameters(self) -> dict[str, Any]:
        """As parameters ``workspace_id``, ``run_id`` and ``started_at``."""
        return {"workspace_id": self.workspace_id, "run_id": self.id, "started_at": self.started_at}


def to_json(value: Any) -> str:
    """Compact JSON, as Postgres takes it; times in ISO 8601, decimals as texts."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)


def size(value: Any) -> int:
    """Bytes of the value as compact JSON in UTF-8; nothing takes nothing."""
    return 0 if value is None or value == {} else len(to_json(value).encode())


def rows_to_json(rows: Iterable[StepRow | TaskRow]) -> str:
    """Rows for ``jsonb_to_recordset``."""
    return to_json([vars(row) for row in rows])


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} has no JSON form")
