"""Rows on their way in and out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

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
    hourly_rate: Decimal | None = None
    """What an hour of the attempt costs, which counts where no price was kept before."""
    price_version: str | None = None
    cpu_used: Decimal | None = None
    """CPUs, in the mean, where that was measured."""
    memory_used: Decimal | None = None
    """Bytes, likewise."""
    cpu_requested: Decimal | None = None
    """CPUs that its pod requests, where that is known."""
    memory_requested: Decimal | None = None
    """Bytes, likewise."""


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
    holder: str | None = None
    """The runner that goes on with it at once, and whose lease ends when it is due."""
    claimed_at: datetime | None = None
    """When that was."""


def for_runners(tasks: Iterable[TaskRow]) -> tuple[str, ...]:
    """The kinds of those that are for runners, due at once, and nobody's yet."""
    due = (task for task in tasks if task.kind == "runner" and task.waiting_until is None and task.holder is None)
    return tuple(kind for task in due for kind in KINDS if kind in task.work)


def for_calls(tasks: Iterable[TaskRow]) -> bool:
    """Whether there are calls of other workflows among them."""
    return any(task.kind == "call" for task in tasks)


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
    """Compact JSON, as Postgres takes it; times in ISO 8601, decimals and ids as texts.

    What may hold numbers that JSON has not, such as NaN, has to be checked before. How a fraction is written, with an
    exponent or without one, is not promised: Postgres makes the same ``jsonb`` of both.
    """
    try:
        return orjson.dumps(value, default=_plain, option=_AS_PLAIN).decode()
    except TypeError:
        # It has not all that Python has: whole numbers of more than 64 bits, keys that are no texts.
        return _ENCODER.encode(value)


def size(value: Any) -> int:
    """What a value takes of the workspace's storage: as ``headgate.json_bytes`` has it, which Postgres counts by."""
    if value is None or value == {}:
        return 0
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    if _OTHERWISE.search(text):
        text = json.dumps(_written(value), ensure_ascii=False, default=_plain)
    return len(text.encode())


_OTHERWISE = re.compile(r"[0-9][eE][+-]?[0-9]|-0\b")
"""What may be a number that Postgres writes otherwise than Python: without an exponent, and zero without a sign."""


def _written(value: Any) -> Any:
    """The value, with each fraction replaced by a whole number of as many characters as Postgres writes of it."""
    if isinstance(value, dict):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    if isinstance(value, float):
        digits = f"{Decimal(repr(value)):f}".removeprefix("-" if value == 0 else "")
        return int("1" * len(digits))
    return value


def rows_to_json(rows: Iterable[StepRow | TaskRow]) -> str:
    """Rows for ``jsonb_to_recordset``."""
    return to_json([vars(row) for row in rows])


def _plain(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} has no JSON form")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
_AS_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
