"""Starts runs that had to wait, the oldest first."""

from __future__ import annotations

from uuid import UUID

import structlog

from headgate.engine.admission import decide, follow_up
from headgate.engine.context import Context, run_key
from headgate.engine.definition import UnreadableVersion
from headgate.engine.types import Effects
from headgate.engine.unreadable import fail_unreadable
from headgate.store import runs, starting, workspaces
from headgate.store.errors import DatabaseUnavailable
from headgate.store.records import RunKey
from headgate.store.starting import Verdict

_log = structlog.get_logger(__name__)

WORKFLOW_SUSPENDED = "WorkflowSuspended"


async def start_pending(context: Context, workspace_id: UUID) -> Effects:
    """Start what there is room for, one transaction for each run, until the oldest one has to go on waiting."""
    effects = Effects()
    while True:
        verdict, new = await _start_oldest(context, workspace_id)
        effects |= new
        if verdict is None or verdict.reason not in (None, WORKFLOW_SUSPENDED):
            return effects


async def start_all_pending(context: Context) -> Effects:
    """``start_pending`` for every workspace with Pending runs.

    The net below all that starts them at once: it catches a crash between the end of a run and the start of the next,
    the turn of the UTC day, and the moment in which a workspace is unsuspended while a run is being admitted. What is
    wrong in one workspace is logged and leaves the others alone.
    """
    async with context.database.system() as tx:
        waiting = await workspaces.with_pending_runs(tx)
    effects = Effects()
    for workspace_id in waiting:
        try:
            effects |= await start_pending(context, workspace_id)
        except DatabaseUnavailable:
            raise
        except Exception:
            _log.exception("pending_runs_failed", workspace_id=str(workspace_id))
    return effects


async def start_in_pot(context: Context, pot: str) -> Effects:
    """``start_pending`` for the workspaces that share a pot, the one whose run waits the longest first."""
    async with context.database.system() as tx:
        waiting = await workspaces.waiting_in_pot(tx, pot)
    effects = Effects()
    for workspace_id in waiting:
        effects |= await start_pending(context, workspace_id)
    return effects


async def _start_oldest(context: Context, workspace_id: UUID) -> tuple[Verdict | None, Effects]:
    """Try the oldest Pending run. No verdict when there is none, or somebody else has started it."""
    async with context.database.tenant(workspace_id) as tx:
        run_id = await starting.oldest_pending(tx, workspace_id)
    key = run_key(workspace_id, run_id) if run_id is not None else None
    if key is None:
        return None, Effects()
    try:
        return await _start(context, key)
    except UnreadableVersion as problem:
        return Verdict(None), await fail_unreadable(context, key, problem)


async def _start(context: Context, key: RunKey) -> tuple[Verdict | None, Effects]:
    now = context.now()
    async with context.database.tenant(key.workspace_id, lock=key.id) as tx:
        loaded = await runs.load(tx, key)
        if loaded is None or loaded.status != "Pending":
            # Whoever was faster goes on with the next one.
            return None, Effects()
        definition = await context.definitions.get(tx, key.workspace_id, loaded.version_id)
        inputs, _, event = await runs.facts(tx, key, ())
        run = await decide(context, definition, key, loaded.trigger_node, inputs, now, event=event)
        verdict = await starting.start(tx, run)
        if verdict is None or verdict.reason is not None:
            return verdict, Effects()
        return verdict, await follow_up(tx, run, verdict)
