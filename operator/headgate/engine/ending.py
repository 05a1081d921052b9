"""What follows when nothing of a run is left to do."""

from __future__ import annotations

from datetime import datetime

from headgate.api.workflow_run import RunPhase
from headgate.engine.breakers import settle
from headgate.engine.context import milliseconds
from headgate.engine.definition import Definition
from headgate.engine.outcome import error_message, finished
from headgate.engine.stepping import Progress
from headgate.engine.types import Effects
from headgate.store import runs
from headgate.store.database import Transaction
from headgate.store.runs import LoadedRun, Room


async def conclude(
    tx: Transaction, definition: Definition, run: LoadedRun, progress: Progress, now: datetime
) -> tuple[Effects, Room]:
    """End a Running run whose nodes have all ended; nothing happens while some have not.

    A run that was asked to end is Cancelled, however its final nodes fared, and keeps the reason that was given.
    """
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
    )
    effects = Effects(finished=(finished(run.key, definition.namespace, outcome, now),))
    since = run.running_since or run.key.started_at
    return effects | await settle(tx, run.key.workspace_id, outcome, now, since=since, probe=run.probe), room
