"""Statements about called runs that wait for mutexes and limits of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.fragments import OWN_LIMITS, compact, literals

# As ``headgate.room`` counts who has them. The newest first: by them runs come to wait for each other.
_WAITING = compact(f"""
    WITH busy AS MATERIALIZED (
        SELECT id, workflow_id, mutex FROM headgate.workflow_executions
        WHERE workspace_id = %(workspace_id)s AND status IN ('Running', 'Suspended') AND running_since IS NOT NULL
            AND mode = 'Normal'
    )
    SELECT e.id, w.name AS workflow, e.callers, e.mutex, e.concurrency_limit,
        ARRAY(SELECT b.id FROM busy b WHERE b.mutex = e.mutex AND b.id <> ALL (e.callers)) AS have_mutex,
        ARRAY(SELECT b.id FROM busy b WHERE e.concurrency_limit IS NOT NULL AND b.workflow_id = e.workflow_id
            AND b.id <> ALL (e.callers)) AS under_way
    FROM headgate.workflow_executions e
    JOIN headgate.workflows w ON w.workspace_id = e.workspace_id AND w.id = e.workflow_id
    WHERE e.workspace_id = %(workspace_id)s AND e.status = 'Pending' AND e.callers <> '{{}}'
        AND e.waiting_reason IN ({literals(OWN_LIMITS)})
    ORDER BY e.started_at DESC, e.id DESC LIMIT %(limit)s
""")  # noqa: S608 - constants


@dataclass(frozen=True)
class WaitingRow:
    """A called run that waits, and who has what it waits for, those left out that wait for its end."""

    id: UUID
    workflow: str
    callers: Sequence[UUID]
    mutex: str | None
    concurrency_limit: int | None
    have_mutex: Sequence[UUID]
    under_way: Sequence[UUID]
    """Runs of its workflow, where that has a limit."""


async def waiting(tx: Transaction, workspace_id: UUID, limit: int) -> list[WaitingRow]:
    """Up to so many of the workspace's called runs that wait for limits of their own, the newest first."""
    rows = await tx.rows(_WAITING, {"workspace_id": workspace_id, "limit": limit})
    return [WaitingRow(*row) for row in rows]
