"""Fails runs of which none would ever go on, as they wait for each other: the youngest, so that the others do."""

from __future__ import annotations

from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.domain.deadlock import DEADLOCK, Deadlock, Need, WaitingRun, deadlock
from headgate.engine.context import Context, run_key
from headgate.engine.control.cancellation import cut_short
from headgate.engine.control.unreadable import fail_unreadable
from headgate.engine.definitions.definition import UnreadableVersion
from headgate.engine.types import Effects
from headgate.store import deadlocks, runs
from headgate.store.database import Transaction
from headgate.store.deadlocks import WaitingRow
from headgate.store.records import RunKey

MOST_WAITING = 500
"""Called runs of a workspace that are looked at, the newest: those behind them are when these have ended."""
MOST_FAILED = 20
"""Runs that are failed in one go."""


async def break_deadlocks(context: Context, workspace_id: UUID) -> Effects:
    """Fail runs of the workspace, one transaction each, until none waits for itself.

    To be called when a called run has come to wait for a mutex or a limit, once that is recorded: of two that come to
    wait for each other at the same time, whoever is recorded last sees both.
    """
    effects = Effects()
    for _ in range(MOST_FAILED):
        async with context.database.tenant(workspace_id) as tx:
            found = await _found(tx, workspace_id)
        key = run_key(workspace_id, found.run_id) if found is not None else None
        if found is None or key is None:
            break
        try:
            effects |= await _fail(context, key, found)
        except UnreadableVersion as problem:
            effects |= await fail_unreadable(context, key, problem)
    return effects


async def _fail(context: Context, key: RunKey, found: Deadlock) -> Effects:
    async with context.database.tenant(key.workspace_id, lock=key.id) as tx:
        run = await runs.load(tx, key)
        # Whoever was faster may have ended one of the others.
        if run is None or run.status != RunPhase.PENDING or await _found(tx, key.workspace_id) != found:
            return Effects()
        definition = await context.definitions.get(tx, key.workspace_id, run.version_id)
        return await cut_short(context, tx, definition, run, RunPhase.FAILED, DEADLOCK, found.message)


async def _found(tx: Transaction, workspace_id: UUID) -> Deadlock | None:
    return deadlock([_run(row) for row in await deadlocks.waiting(tx, workspace_id, MOST_WAITING)])


def _run(row: WaitingRow) -> WaitingRun:
    needs = []
    if row.mutex is not None:
        needs.append(Need(f"mutex {row.mutex!r}", frozenset(row.have_mutex)))
    if row.concurrency_limit is not None:
        what = f"concurrency.limit {row.concurrency_limit} of its workflow"
        needs.append(Need(what, frozenset(row.under_way), spare=row.concurrency_limit - 1))
    return WaitingRun(row.id, row.workflow, tuple(row.callers), tuple(needs))
