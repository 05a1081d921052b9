"""What follows when nothing of a run is left to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from headgate.api.workflow_run import RunPhase
from headgate.engine.breakers import settle
from headgate.engine.context import milliseconds
from headgate.engine.definition import Definition
from headgate.engine.outcome import error_message, finished
from headgate.engine.stepping import Progress
from headgate.engine.types import Effects
from headgate.store import control, runs
from headgate.store.database import Transaction
from headgate.store.runs import LoadedRun, Room


async def conclude(
    tx: Transaction, definition: Definition, run: LoadedRun, progress: Progress, now: datetime
) -> tuple[Effects, Room]:
    """End a Running run whose nodes have all ended, or hold it at a breakpoint; nothing happens while some have not.

    A run that was asked to end is Cancelled, however its final nodes fared, and keeps the reason that was given.
    """
    if progress.held is not None:
        await control.hold(tx, run.key, progress.held, replace(run.apart, at=progress.held).options())
    if progress.outcome is None:
        return Effects(), Room()
    outcome = RunPhase.CANCELLED if run.cancelling else progress.outcome
    told = progress.error or error_message(definition.graph, progress.states, outcome)
    room = await runs.finish(
        tx,
        run.key,
        status=outcome.value,
        finished_at=now,
        duration_ms=milliseconds(now - run.key.started_at),
        error_message=run.error_message if run.cancelling else told,
        outputs=None if run.cancelling else progress.outputs,
        takes_place=run.takes_place,
    )
    return await counted(tx, run, definition.namespace, outcome, now), room


async def counted(tx: Transaction, run: LoadedRun, namespace: str, phase: RunPhase, now: datetime) -> Effects:
    """What the end of a run means for the health of its workspace: nothing where it was a Test or Debug run."""
    if not run.apart.is_normal:
        return Effects()
    effects = Effects(finished=(finished(run.key, namespace, phase, now),))
    since = run.running_since or run.key.started_at
    return effects | await settle(tx, run.key.workspace_id, phase, now, since=since, probe=run.probe)
