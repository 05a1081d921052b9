"""Makes workspaces known to the engine."""

from __future__ import annotations

from uuid import UUID

from headgate.api.quota import Limits
from headgate.engine.context import Context
from headgate.engine.types import WorkspaceRecord
from headgate.store import workspaces


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


def _limits(limits: Limits) -> dict[str, int]:
    return {name: getattr(limits, name) for name in workspaces.LIMITS}
