"""Lets somebody follow what changes in runs: in an order that stays, from wherever they stopped."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.domain.change_position import KEPT, Position
from headgate.engine.context import Context
from headgate.store import run_changes

PAGE_SIZE = 100
"""Changes that are read at once."""
FORGOTTEN = KEPT + timedelta(hours=1)
"""The age from which changes are deleted: later than they can be asked for."""
_BATCH = 5000
_START = Position(0, 0, 0)


@dataclass(frozen=True)
class RunChange:
    """A run, or an attempt of one of its nodes, is not what it was."""

    position: Position
    run_id: UUID
    node: str | None
    """None where the run itself changed."""
    attempt: int | None
    phase: str
    """Where it stands since then."""
    reason: str
    """Why, in one word; empty where there is nothing to say."""
    log_kept: bool
    """Whether the attempt's log is where it stays."""
    changed_at: datetime


@dataclass(frozen=True)
class Changes:
    """What comes next."""

    items: tuple[RunChange, ...]
    position: Position
    """Where to go on."""
    more: bool
    """Whether there is more already."""
    settled: int
    """Transactions before this one have all been told of."""
    unused: int
    """Transactions before this one had begun."""
    lost: bool
    """Whether changes are missing before these."""


@dataclass(frozen=True)
class News:
    """Who has something to read."""

    workspaces: frozenset[UUID]
    settled: int
    """From where to look next time."""


class RunChanges:
    """Changes of runs. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later.

    A change is told once its transaction, and all that began before it on the server, have ended.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def present(self, workspace_id: UUID) -> Changes:
        """Where to begin so as to hear of what changes from now on."""
        async with self._context.database.tenant(workspace_id) as tx:
            row = await run_changes.present(tx)
        return Changes(
            (), Position(row.settled, 0, row.now), more=False, settled=row.settled, unused=row.unused, lost=False
        )

    async def since(self, workspace_id: UUID, position: Position | None, run_id: UUID | None = None) -> Changes:
        """What changed behind the position, of all runs or of one; with None all that is kept. One query.

        Where changes may be missing behind the position, it goes on with those that are kept, and says so.
        """
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await run_changes.since(tx, workspace_id, position or _START, run_id, PAGE_SIZE)
            lost = position is not None and position.is_lost(now=rows[0].now, unused=rows[0].unused)
            if lost and position is not None and position > _START:
                rows = await run_changes.since(tx, workspace_id, _START, run_id, PAGE_SIZE)
        head = rows[0]
        items = tuple(_change(row) for row in rows if row.number is not None)
        more = len(items) == PAGE_SIZE
        behind = items[-1].position if more else Position(head.settled, 0, head.now)
        return Changes(items, behind, more=more, settled=head.settled, unused=head.unused, lost=lost)

    async def news(self, workspaces: Collection[UUID], since: int) -> News:
        """Which of the workspaces have changes of that transaction or later. One query, however many there are."""
        async with self._context.database.system() as tx:
            row = await run_changes.news(tx, workspaces, since)
        return News(frozenset(row.changed), row.settled)

    async def forget(self) -> int:
        """Delete changes that cannot be asked for any more, and return how many that were."""
        forgotten = 0
        while True:
            async with self._context.database.system() as tx:
                gone = await run_changes.forget(tx, FORGOTTEN, _BATCH)
            forgotten += gone
            if gone < _BATCH:
                return forgotten


def _change(row: Any) -> RunChange:
    return RunChange(
        position=Position(row.transaction_id, row.number, int(row.changed_at.timestamp())),
        run_id=row.execution_id,
        node=row.node,
        attempt=row.attempt,
        phase=row.phase,
        reason=row.reason,
        log_kept=row.log_kept,
        changed_at=row.changed_at.astimezone(UTC),
    )
