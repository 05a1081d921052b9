"""What is told of runs while they change."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.reading.run_changes import RunChange
from headgate.gateway.models.base import ApiModel


class RunEvent(ApiModel):
    """A run that is new or not what it was: the data of the event ``run``."""

    run_id: UUID
    """The run."""
    phase: RunPhase
    """Where it stands since then."""
    reason: str
    """Why it waits, is held or is being ended, in one word; empty otherwise."""
    changed_at: datetime
    """When it changed."""


class StepEvent(ApiModel):
    """An attempt of a node that is new or not what it was: the data of the event ``step``."""

    run_id: UUID
    """The run."""
    node: str
    """The node; of one that runs for each item of a list, with a dot and the item's index behind it."""
    attempt: int
    """The attempt, from 1; 0 for a node that needed none."""
    phase: NodePhase
    """Where it stands since then."""
    reason: str
    """Why, in one word; empty where that is obvious."""
    log_kept: bool
    """Whether its log can be had in full."""
    changed_at: datetime
    """When it changed."""


class EndEvent(ApiModel):
    """The last event of a stream: the data of the event ``end``."""

    reason: str
    """``RunEnded``, or ``AccessEnded`` where the caller may not read it any more."""


class LostEvent(ApiModel):
    """Changes may be missing before the next event: the data of the event ``lost``."""

    detail: str
    """Why, and what to do about it."""


EVENTS = (RunEvent, StepEvent, EndEvent, LostEvent)
"""The data of events."""


def event_of(change: RunChange) -> RunEvent | StepEvent:
    """The change as the API gives it."""
    if change.node is None or change.attempt is None:
        return RunEvent(
            run_id=change.run_id,
            phase=RunPhase(change.phase),
            reason=change.reason,
            changed_at=change.changed_at,
        )
    return StepEvent(
        run_id=change.run_id,
        node=change.node,
        attempt=change.attempt,
        phase=NodePhase(change.phase),
        reason=change.reason,
        log_kept=change.log_kept,
        changed_at=change.changed_at,
    )
