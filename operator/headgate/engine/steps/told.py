"""What is told of the end of an attempt, in the form in which it is recorded. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from headgate.api.workflow_run import NodePhase
from headgate.domain.cost import Rate
from headgate.domain.storage import LIMIT, StorageLeft
from headgate.domain.task import Outcome, TaskRef
from headgate.engine.bounds import OUTPUT_BYTES, REASON_BYTES, check_json, clip
from headgate.store.records import StepRow, size

INVALID_OUTPUT = "InvalidOutput"


def bounded(outcome: Outcome) -> Outcome:
    """The outcome in a form that can be stored; a success whose output cannot be is a failure."""
    outcome = replace(outcome, reason=clip(outcome.reason, REASON_BYTES), message=clip(outcome.message))
    try:
        check_json(outcome.output, OUTPUT_BYTES, "the output")
    except ValueError as error:
        if not outcome.succeeded:
            return replace(outcome, output=None)
        return replace(outcome, succeeded=False, output=None, reason=INVALID_OUTPUT, message=clip(str(error)))
    return outcome


def fitting(outcome: Outcome, left: StorageLeft) -> tuple[Outcome, StorageLeft]:
    """The outcome as far as there is room for it, and what is left then. A success whose output finds none fails."""
    more = size(outcome.output)
    if left.fits(more):
        return outcome, left.after(more)
    told = left.refusal("its output", more)
    if outcome.succeeded:
        outcome = replace(outcome, succeeded=False, reason=LIMIT, message="")
    message = clip("; ".join(part for part in (outcome.message, told) if part))
    return replace(outcome, output=None, message=message), left


def step_row(ref: TaskRef, outcome: Outcome, now: datetime, rate: Rate | None) -> StepRow:
    """The row of the attempt once it has ended so."""
    return StepRow(
        node=ref.node,
        attempt=ref.attempt,
        phase=(NodePhase.SUCCEEDED if outcome.succeeded else NodePhase.FAILED).value,
        reason=outcome.reason,
        message=outcome.message,
        exit_code=outcome.exit_code,
        output=outcome.output,
        attempt_started_at=outcome.started_at,
        attempt_finished_at=outcome.finished_at or now,
        hourly_rate=rate.hourly if rate is not None else None,
        price_version=rate.version if rate is not None else None,
        cpu_used=outcome.used.cpu.value if outcome.used is not None else None,
        memory_used=outcome.used.memory.value if outcome.used is not None else None,
        cpu_requested=outcome.footprint.cpu.value if outcome.footprint is not None else None,
        memory_requested=outcome.footprint.memory.value if outcome.footprint is not None else None,
    )
