"""Counts anew what a workspace keeps: by its rows, while others write, and exactly."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from headgate.engine.context import Context
from headgate.store import control, recounting
from headgate.store.recounting import BEGIN, Place

PAGE = 2000
"""Runs that one statement counts."""
MOST_ROUNDS = 5


class NotNow(Exception):  # noqa: N818 - a state of the world, not a mistake
    """It cannot be counted at present; the message says why."""


@dataclass(frozen=True)
class Recounted:
    """What was found."""

    counted: int
    """Bytes that were counted, when it began."""
    kept: int
    """Bytes that there were, at the same moment."""


class Recounting:
    """What a workspace keeps, counted by its rows. All methods raise ``DatabaseUnavailable``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def mend(self, workspace_id: UUID) -> Recounted:
        """Make what is counted what is kept. What was found in the beginning. Raises ``NotNow``.

        Rows and counter are read in one snapshot, page by page, and nothing is locked. Whoever writes meanwhile changes
        both by the same in one transaction, so the difference between them stays what it was, and is added. Only where
        something is given back of which more is there than was counted the counter stops at nothing instead: so it is
        looked again until they are the same.
        """
        first = found = await self._round(workspace_id)
        for _ in range(MOST_ROUNDS):
            if found.counted == found.kept:
                return first
            found = await self._round(workspace_id)
        raise NotNow(
            "what is counted and what is kept come apart while it is counted: a program of an older release "
            "still writes; try again once it is gone"
        )

    async def look(self, workspace_id: UUID) -> Recounted:
        """What ``mend`` would find. Nothing is changed. Raises ``NotNow``."""
        return await self._round(workspace_id, mend=False)

    async def _round(self, workspace_id: UUID, *, mend: bool = True) -> Recounted:
        # The turn comes first: the snapshot has to be of after whatever somebody else added who had it before.
        async with self._context.database.tenant(workspace_id) as turn:
            if not await recounting.take_turn(turn, workspace_id):
                raise NotNow("somebody else counts it right now")
            async with self._context.database.tenant(workspace_id, snapshot=True) as tx:
                beside = await recounting.beside_runs(tx, workspace_id)
                if beside.removing:
                    raise NotNow("runs of it are on their way out into the archive: try again after the next round")
                kept: int = beside.kept
                place: Place | None = BEGIN
                while place is not None:
                    size, place = await recounting.runs(tx, workspace_id, place, PAGE)
                    kept += size
                    # Otherwise it would lie idle for as long as this takes, and be ended.
                    await recounting.take_turn(turn, workspace_id)
            if mend and kept != beside.counted:
                await control.count(turn, workspace_id, self._context.now(), bytes_=kept - beside.counted)
        return Recounted(beside.counted, kept)
