"""Statements about runs that wait to start."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.fragments import OWN_LIMITS, compact, literals

# Whether others of its workflow, or the holder of its mutex, hold a Pending run ``e`` up. What is under way is read
# once, and only where a run has limits of its own.
_HELD = """coalesce(e.mutex IN (SELECT b.mutex FROM busy b WHERE b.mutex IS NOT NULL), false)
    OR coalesce(e.concurrency_limit <= (SELECT c.running FROM counts c WHERE c.workflow_id = e.workflow_id), false)"""
_OPEN = """
    FROM headgate.workflow_executions e
    JOIN headgate.workflows w ON w.workspace_id = e.workspace_id AND w.id = e.workflow_id AND NOT w.suspended
    WHERE e.workspace_id = %(workspace_id)s AND e.status = 'Pending' AND e.id <> ALL(%(passed)s)
"""
_PENDING = compact(f"""
    WITH busy AS MATERIALIZED (
        SELECT workflow_id, mutex FROM headgate.workflow_executions
        WHERE workspace_id = %(workspace_id)s AND status IN ('Running', 'Suspended') AND running_since IS NOT NULL
    ), counts AS MATERIALIZED (
        SELECT workflow_id, count(*) AS running FROM busy GROUP BY workflow_id
    )
    (SELECT e.id, false AS held {_OPEN} AND NOT ({_HELD}) ORDER BY e.priority DESC, e.started_at, e.id LIMIT 1)
    UNION ALL
    (SELECT e.id, true AS held {_OPEN} AND (e.mutex IS NOT NULL OR e.concurrency_limit IS NOT NULL)
        AND coalesce(e.waiting_reason, '') NOT IN ({literals(OWN_LIMITS)}) AND ({_HELD})
     ORDER BY e.priority DESC, e.started_at, e.id LIMIT %(limit)s)
""")  # noqa: S608 - constants


@dataclass(frozen=True)
class PendingRuns:
    """What may be tried next of a workspace's Pending runs."""

    first: UUID | None
    """Of those that nothing of their own holds up: the one of the highest priority, and of these the oldest."""
    unaware: tuple[UUID, ...]
    """Runs that limits of their own hold up by now, and that are recorded as waiting for something else."""


async def pending(tx: Transaction, workspace_id: UUID, passed: Collection[UUID], limit: int) -> PendingRuns:
    """Pending runs of workflows that are not suspended, those in ``passed`` left out; ``limit`` is for the unaware."""
    rows = await tx.rows(_PENDING, {"workspace_id": workspace_id, "passed": list(passed), "limit": limit})
    first = next((row.id for row in rows if not row.held), None)
    return PendingRuns(first, tuple(row.id for row in rows if row.held))


_WAITING_FOR_MUTEX = """
    SELECT id FROM headgate.workflow_executions
    WHERE workspace_id = %(workspace_id)s AND mutex = %(mutex)s AND status = 'Pending'
    ORDER BY priority DESC, started_at, id LIMIT %(limit)s
"""


async def waiting_for_mutex(tx: Transaction, workspace_id: UUID, mutex: str, limit: int) -> list[UUID]:
    """The runs that would be the next to have the mutex."""
    parameters = {"workspace_id": workspace_id, "mutex": mutex, "limit": limit}
    return [row.id for row in await tx.rows(_WAITING_FOR_MUTEX, parameters)]
