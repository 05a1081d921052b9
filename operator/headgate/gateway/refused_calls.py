"""Has calls that somebody was refused in the audit log, however many they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from headgate.domain.audit import Act, Action, ActOutcome
from headgate.gateway.minute_counts import MinuteCounts
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

if TYPE_CHECKING:
    from uuid import UUID

    from headgate.domain.audit import Actor
    from headgate.engine.audit_log import Audit

OF_CALLER, OF_WORKSPACE = 5, 60
"""Entries for refused calls in a minute at most: of one caller, and of a workspace, by each replica."""
_log = structlog.get_logger("headgate.audit")


class RefusedCalls:
    """Keeps refusals of callers who are known, and who called for more than they may."""

    def __init__(self, audit: Audit, monotonic: Callable[[], float]) -> None:
        self._audit = audit
        self._of_caller = MinuteCounts(OF_CALLER, monotonic)
        self._of_workspace = MinuteCounts(OF_WORKSPACE, monotonic)

    async def note(self, workspace_id: UUID, actor: Actor, call: str, why: str) -> None:
        """Add an entry, unless there were many within the minute. What cannot be written is logged."""
        workspace, caller = str(workspace_id), f"{workspace_id}/{actor.name}"
        if self._of_caller.wait(caller) > 0 or self._of_workspace.wait(workspace) > 0:
            return
        self._of_caller.add(caller)
        self._of_workspace.add(workspace)
        try:
            await self._audit.note(workspace_id, Act(actor, Action.CALL, call, {"why": why}, ActOutcome.REFUSED))
        except (DatabaseUnavailable, DatabaseNotMigrated) as error:
            _log.warning("a refused call is not in the audit log", workspace_id=workspace, error=str(error))
