"""A recorded run -> the status of the WorkflowRun that mirrors it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from headgate.api.workflow_run import NodePhase, NodeStatus, RunPhase, WaitingFor, WorkflowRunStatus
from headgate.domain.durations import format_duration
from headgate.domain.task import Waiting

_COLUMN_LENGTH = 128


SOON = timedelta(seconds=1)
"""Between two writes of a status at least, so that a fan-out of nodes costs few of them."""
ONCE_UNDER_WAY = timedelta(seconds=3)
"""How long the first write of a run waits for a container to run, so that it need not be said apart."""
MERE_START = timedelta(seconds=10)
"""How long it may stay unsaid that a container has started, or waits for room: a run that ends before costs a write
less. Counted from when it did so, see ``is_minor``.
"""


CROWD = 10
"""Open runs of a namespace from which on each of them is told of more rarely, in proportion."""
AT_LAST = timedelta(seconds=30)
"""How long it may stay unsaid that a run is there, or went on."""
ROOM_AT_LAST = timedelta(seconds=90)
"""How long it may stay unsaid that a run of a crowd waits for room of another kind than was said, or for none now."""
ROOM = frozenset(
    {
        *("Queued", "DailyLimit", "ConcurrencyLimit", "TestLimit", "WorkflowConcurrency", "Mutex"),
        *("Unschedulable", "ComputeQuota", "CalledRun", "ContainerCreating", "Runner"),
    }
)
"""Reasons of waits that end by themselves, when others are done, or the node is: nobody has to act."""


def patience(before: WorkflowRunStatus, after: WorkflowRunStatus, *, beside: int = 0) -> timedelta:
    """How long after the last write, or after the run was admitted, ``after`` may be written over ``before``.

    It counts from when it came about for what ``is_minor``. The end is written at once, and soon why the run waits,
    unless that was said of other room. A one-node run without trouble so costs at most two writes, or three where its
    pod takes more than three seconds to start, or finds no room, and is not done ten seconds after it has started.
    Where ``beside`` it many runs of the namespace are open, what calls for nobody waits longer, so that a thousand runs
    at once cost no more.
    """
    if after.phase is not None and after.phase.is_final:
        return timedelta(0)
    alone, at_last = _patience(before, after)
    trouble = any(waiting.reason not in ROOM for waiting in after.waiting_for)
    return alone if trouble else _in_a_crowd(alone, beside, at_last)


def _patience(before: WorkflowRunStatus, after: WorkflowRunStatus) -> tuple[timedelta, timedelta]:
    """How long the news may wait where the run is alone, and how long at most."""
    if before.phase is None:
        under_way = after.waiting_for or any(node.phase is not NodePhase.QUEUED for node in after.nodes if node.attempt)
        return SOON if under_way else ONCE_UNDER_WAY, AT_LAST
    if after.waiting_for and not before.waiting_for:
        # Why a run waits is known some seconds after it was said that it is there.
        return SOON, AT_LAST
    return (MERE_START, ROOM_AT_LAST) if _is_minor_at_most(before, after) else (SOON, AT_LAST)


def is_minor(before: WorkflowRunStatus, after: WorkflowRunStatus) -> bool:
    """Whether the only news of a run is that an attempt has started, or waits for room of another kind, or for none.

    A run that had to wait for minutes may end in the next second: what is minor is told some time after it came about,
    however long ago anything was told.
    """
    return _is_minor_at_most(before, after) and _seen(before) != _seen(after)


def _is_minor_at_most(before: WorkflowRunStatus, after: WorkflowRunStatus) -> bool:
    if before.phase is None or (after.waiting_for and not before.waiting_for):
        return False
    merely_room = all(waiting.reason in ROOM for waiting in (*before.waiting_for, *after.waiting_for))
    return (merely_room or before.waiting_for == after.waiting_for) and _started(before) == _started(after)


def calm(beside: int) -> timedelta:
    """How long a run need not be looked at of which nothing is new but that attempts started, or wait for room."""
    return _in_a_crowd(SOON, beside, AT_LAST) if beside > CROWD else timedelta(0)


def _in_a_crowd(alone: timedelta, beside: int, at_last: timedelta) -> timedelta:
    return max(alone, min(alone * beside / CROWD, at_last))


def _started(status: WorkflowRunStatus) -> tuple[tuple[str, NodePhase, int], ...]:
    """The nodes with their phases, as if every attempt that may start had."""
    return tuple(
        (node.id, NodePhase.RUNNING if node.phase is NodePhase.QUEUED else node.phase, node.attempt)
        for node in status.nodes
    )


def _seen(status: WorkflowRunStatus) -> tuple[object, ...]:
    """What tells people whether the run goes on."""
    return status.waiting_for, tuple((node.id, node.phase, node.attempt) for node in status.nodes)


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
