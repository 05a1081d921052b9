"""Counts requests to webhooks that nobody had signed, however many come: a write a webhook now and then, none each."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

if TYPE_CHECKING:
    from headgate.engine.webhooks.webhooks import Webhooks

FLUSH_SECONDS = 5.0
"""Between two writes."""
MOST = 10_000
"""Webhooks whose counts are held at most; requests to others go uncounted until then."""


class Refusals:
    """Keeps counts of webhooks that there are until they are written. What a process that dies had not written is lost.

    Writing at once would make a flood of requests a flood of writes, and tell by its time which webhooks there are.
    """

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._counted: dict[tuple[UUID, str], tuple[int, datetime]] = {}

    def note(self, workspace_id: UUID, hook: str, at: datetime) -> None:
        """Count one."""
        key = (workspace_id, hook)
        if key in self._counted or len(self._counted) < MOST:
            total, last = self._counted.get(key, (0, at))
            self._counted[key] = (total + 1, max(last, at))

    async def flush(self) -> None:
        """Write what was counted. What cannot be written stays."""
        counted, self._counted = self._counted, {}
        by_workspace: dict[UUID, dict[str, tuple[int, datetime]]] = {}
        for (workspace_id, hook), found in counted.items():
            by_workspace.setdefault(workspace_id, {})[hook] = found
        for workspace_id, refused in by_workspace.items():
            try:
                await self._webhooks.count_refusals(workspace_id, refused)
            except (DatabaseUnavailable, DatabaseNotMigrated):
                self._put_back(workspace_id, refused)

    def _put_back(self, workspace_id: UUID, refused: dict[str, tuple[int, datetime]]) -> None:
        for hook, (total, at) in refused.items():
            since, last = self._counted.get((workspace_id, hook), (0, at))
            self._counted[workspace_id, hook] = (since + total, max(last, at))
