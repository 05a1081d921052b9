"""What follows when nothing of a run is left to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from headgate.api.workflow_run import RunPhase
from headgate.engine.breakers import settle
from headgate.engine.context import milliseconds
from headgate.engine.definitions.definition import Definition
from headgate.engine.steps.outcome import error_message, finished
from headgate.engine.steps.stepping import Progress
from headgate.engine.types import NO_EFFECTS, Effects
from headgate.store import control, recording
from headgate.store.database import Transaction
from headgate.store.recording import Ending, Room
from headgate.store.runs import LoadedRun


def ending_of(definition: Definition, run: LoadedRun, progress: Progress, now: datetime) -> Ending | None:
    """How a Running run ends whose nodes have all ended; None while some have not.

    A run that was asked to end does so as it was asked to, however its final nodes fared, for the reason given.
    """
    if progress.outcome is None:
        return None
    outcome = run.ends_as or progress.outcome
    told = progress.error or error_message(definition.graph, progress.states, outcome)
    return Ending(
        status=outcome.value,
        finished_at=now,
        duration_ms=milliseconds(now - run.key.started_at),
        error_message=run.error_message if run.ends_as is not None else told,
        outputs=None if run.ends_as is not None else progress.outputs,
        takes_place=run.takes_place,
    )


async def conclude(
    tx: Transaction, definition: Definition, run: LoadedRun, progress: Progress, now: datetime
) -> tuple[Effects, Room]:
    """End the run as ``ending_of`` has it, or hold it at a breakpoint; nothing happens while nodes have not ended."""
    ending = ending_of(definition, run, progress, now)
    room = Room() if ending is None else await recording.finish(tx, run.key, ending)
    return await follow(tx, definition, run, progress, ending, now, awaited=room.awaited), room


async def follow(
    tx: Transaction,
    definition: Definition,
    run: LoadedRun,
    progress: Progress,
    ending: Ending | None,
    now: datetime,
    *,
    awaited: bool,
) -> Effects:
    """What follows from an ending that is recorded, or from a breakpoint where there is none."""
    if progress.held is not None:
        await control.hold(tx, run.key, progress.held, replace(run.apart, at=progress.held).options(), now)
    if ending is None:
        return NO_EFFECTS
    effects = Effects(to_chain=awaited)
    return effects | await counted(tx, run, definition.namespace, RunPhase(ending.status), ending.finished_at)


async def counted(tx: Transaction, run: LoadedRun, namespace: str, phase: RunPhase, now: datetime) -> Effects:
    """What the end of a run means for the health of its workspace: nothing where it was a Test or Debug run."""
    if not run.apart.is_normal:
        return NO_EFFECTS
    effects = Effects(finished=(finished(run.key, namespace, phase, now),))
    since = run.running_since or run.key.started_at
    return effects | await settle(tx, run.key.workspace_id, phase, now, since=since, probe=run.probe)
