"""Rows of steps and tasks as they are recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from headgate.domain import approvals
from headgate.engine.bounds import clip
from headgate.store.records import StepRow, TaskRow


def told(task: TaskRow, run_id: UUID) -> TaskRow:
    """An approval says from the beginning what it waits for."""
    waiting = approvals.waiting(approvals.approval_of(task.work), run_id, task.node, task.due_at)
    return replace(
        task, waiting_reason=waiting.reason, waiting_message=clip(waiting.message), waiting_until=waiting.until
    )


def merged(steps: Iterable[StepRow]) -> tuple[StepRow, ...]:
    """One row for each attempt, the latest: a node may begin and end in the same step of the run."""
    merged: dict[tuple[str, int], StepRow] = {}
    for row in steps:
        before = merged.get((row.node, row.attempt))
        merged[row.node, row.attempt] = (
            row if before is None else replace(row, attempt_started_at=before.attempt_started_at)
        )
    return tuple(merged.values())
