"""A recorded run -> the status of the WorkflowRun that mirrors it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from headgate.api.workflow_run import NodeStatus, RunPhase, WaitingFor
from headgate.domain.durations import format_duration
from headgate.domain.task import Waiting

_COLUMN_LENGTH = 128


def waiting_for(waiting: Iterable[Waiting]) -> tuple[WaitingFor, ...]:
    """What the run waits for, in the status' form."""
    return tuple(
        WaitingFor(node=w.node, reason=w.reason, message=w.message[:1024], until=seconds(w.until)) for w in waiting
    )


def waiting_column(waiting: Iterable[WaitingFor]) -> str | None:
    """The reasons in short: each once, with the node where only one waits."""
    items = tuple(waiting)
    if not items:
        return None
    if len(items) == 1 and items[0].node:
        return f"{items[0].reason}: {items[0].node}"[:_COLUMN_LENGTH]
    return ", ".join(dict.fromkeys(item.reason for item in items))[:_COLUMN_LENGTH]


def progress(nodes: Iterable[NodeStatus]) -> str:
    """Nodes done of all nodes."""
    phases = [node.phase for node in nodes]
    return f"{sum(phase.is_final for phase in phases)}/{len(phases)}"


def duration(started: datetime | None, finished: datetime | None) -> str | None:
    """How long a finished run took."""
    return format_duration(finished - started) if started and finished else None


def seconds(time: datetime | None) -> datetime | None:
    """Times in status are whole seconds, as all of Kubernetes' are."""
    return time.replace(microsecond=0) if time else None


def summary(phase: RunPhase, waiting: tuple[WaitingFor, ...], error: str | None) -> tuple[str, str]:
    """Reason and message of the run's Ready condition."""
    if phase is RunPhase.FAILED:
        return "Failed", error or "the run failed"
    if phase.is_final:
        return phase.value, {"Succeeded": "every node is done"}.get(phase.value, "the run was cancelled")
    if waiting:
        return waiting[0].reason, waiting[0].message or waiting[0].reason
    return phase.value, ""
