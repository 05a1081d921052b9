"""Makes use of room: starts runs that wait, after what may have made room for them."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import UUID

import structlog

from headgate.engine.context import Context
from headgate.engine.starting import pending
from headgate.engine.types import Effects
from headgate.store.recording import Room

_log = structlog.get_logger(__name__)


class Starter:
    """Starts Pending runs. What follows a transaction never fails: its effects must be heard of whatever comes of it.

    What was not started now is by the next ``start_all``.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def start(self, workspace_id: UUID) -> Effects:
        """Start the workspace's Pending runs for which there is room. Raises ``DatabaseUnavailable``."""
        return await pending.start_pending(self._context, workspace_id)

    async def start_all(self) -> Effects:
        """``start`` for every workspace that has Pending runs. Raises ``DatabaseUnavailable``."""
        return await pending.start_all_pending(self._context)

    async def and_start(self, effects: Effects, workspace_id: UUID) -> Effects:
        """``start`` after a transaction with these effects: they, and those of what started."""
        return await self._and(effects, self.start(workspace_id), workspace_id=str(workspace_id))

    async def make_use(self, effects: Effects, workspace_id: UUID, room: Room) -> Effects:
        """Start what the transaction with these effects made room for: they, and those of what started."""
        if room.waiting:
            effects = await self.and_start(effects, workspace_id)
        if room.pot is not None:
            effects = await self._and(effects, pending.start_in_pot(self._context, room.pot), pot=room.pot)
        return effects

    async def _and(self, effects: Effects, starting: Awaitable[Effects], **about: str) -> Effects:
        try:
            return effects | await starting
        except Exception:
            _log.warning("pending_runs_not_started", exc_info=True, **about)
            return effects
