"""Makes workspaces known to the engine."""

from __future__ import annotations

from uuid import UUID

from headgate.api.quota import Limits
from headgate.engine.cancellation import cancel_run
from headgate.engine.context import Context
from headgate.engine.types import Effects, WorkspaceRecord
from headgate.store import runs, workflows, workspaces


async def sync_workspace(context: Context, record: WorkspaceRecord) -> UUID:
    """Record a workspace under its active name, and return its id. Writes nothing when nothing changed."""
    limits = _limits(record.limits)
    now = context.now()
    async with context.database.system() as tx:
        known = await workspaces.find(tx, record.name)
        if known is not None and known.limits == limits and known.suspended == record.suspended:
            return known.id
        return await workspaces.put(
            tx, context.new_id(now), record.name, suspended=record.suspended, limits=limits, now=now
        )


async def workspace_id(context: Context, name: str) -> UUID | None:
    """The id of the active workspace of that name."""
    async with context.database.system() as tx:
        known = await workspaces.find(tx, name)
    return None if known is None else known.id


async def running_runs(context: Context, name: str) -> int:
    """How many runs of the active workspace of that name are under way."""
    async with context.database.system() as tx:
        known = await workspaces.find(tx, name)
        return 0 if known is None else await workspaces.running(tx, known.id)


async def suspend_workspace(context: Context, name: str) -> None:
    """Let no run of the workspace start any more. Nothing happens where there is no workspace of that name."""
    async with context.database.system() as tx:
        known = await workspaces.find(tx, name)
        if known is not None and not known.suspended:
            await workspaces.suspend(tx, known.id)


async def retire_workspace(context: Context, name: str) -> Effects:
    """End a workspace for good. See ``Engine.retire_workspace``.

    Several transactions, of which the one that frees the name is the last: a crash in between leaves a workspace in
    which nothing starts, and of which this finishes the rest when it is called again.
    """
    await suspend_workspace(context, name)
    async with context.database.system() as tx:
        known = await workspaces.find(tx, name)
    if known is None:
        return Effects()
    async with context.database.tenant(known.id) as tx:
        await workflows.retire_all(tx, known.id, context.now())
    async with context.database.tenant(known.id) as tx:
        open_runs = await runs.open_runs(tx, known.id)
    effects = Effects()
    for run_id in open_runs:
        effects |= await cancel_run(context, known.id, run_id, "the Workspace was deleted")
    async with context.database.system() as tx:
        await workspaces.retire(tx, known.id, context.now())
    return effects


def _limits(limits: Limits) -> dict[str, int]:
    return {name: getattr(limits, name) for name in workspaces.LIMITS}
