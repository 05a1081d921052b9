"""What a Workflow's status tells of its last look: the version that is current, or why it was not recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headgate.api.workflow import Workflow, WorkflowStatus
from headgate.domain.conditions import Conditions, not_ready, ready
from headgate.domain.reasons import Reason
from headgate.domain.run_status import seconds
from headgate.engine.types import ScheduleView, VersionRecord


@dataclass(frozen=True)
class Recorded:
    """The spec is the version with which new runs start."""

    version: VersionRecord
    schedules: ScheduleView


@dataclass(frozen=True)
class Refused:
    """The spec was not recorded."""

    reason: str
    message: str
    stalled: bool
    """Whether waiting will not help."""


def unreadable(generation: int, problem: str, now: datetime) -> WorkflowStatus:
    """The status of a Workflow that cannot be read at all: nothing of what was there can be relied on."""
    conditions = not_ready((), Reason.INVALID_SPEC, problem, generation, now, stalled=True)
    return WorkflowStatus(observed_generation=generation, conditions=conditions)


def status_of(workflow: Workflow, outcome: Recorded | Refused, now: datetime) -> WorkflowStatus:
    """The status of a Workflow of which that came."""
    before = workflow.status.model_copy(update={"observed_generation": workflow.metadata.generation})
    if isinstance(outcome, Refused):
        return before.model_copy(update={"conditions": _refused(workflow, outcome, now)})
    version, schedules = outcome.version, outcome.schedules
    return before.model_copy(
        update={
            "conditions": _recorded(workflow, outcome, now),
            "version": version.number,
            "version_hash": version.content_hash,
            "next_schedule_time": seconds(None if workflow.spec.suspend else schedules.next_tick),
            "last_schedule_time": seconds(schedules.last_tick) or workflow.status.last_schedule_time,
        }
    )


def _refused(workflow: Workflow, outcome: Refused, now: datetime) -> Conditions:
    before, generation, message = workflow.status.conditions, workflow.metadata.generation, outcome.message
    if workflow.status.version and outcome.stalled:
        message = f"{message}. Version {workflow.status.version} stays current"
    return not_ready(before, outcome.reason, message, generation, now, stalled=outcome.stalled)


def _recorded(workflow: Workflow, outcome: Recorded, now: datetime) -> Conditions:
    reason, message = Reason.RECONCILED, f"version {outcome.version.number} is current"
    next_tick = outcome.schedules.next_tick
    if workflow.spec.suspend:
        reason, message = Reason.SUSPENDED, "no new run starts because spec.suspend is true"
        if next_tick is not None:
            message += f"; ticks from {next_tick:%Y-%m-%dT%H:%M:%SZ} on wait, and missedRuns decides on them"
    for trigger, why in outcome.schedules.errors.items():
        message = f"{message}; {trigger} fired last without making a run: {why}"
    return ready(workflow.status.conditions, reason, message, workflow.metadata.generation, now)
