"""Statements about runs that wait to start."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.fragments import OWN_LIMITS, compact, literals

# Whether others of its workflow, or the holder of its mutex, hold a Pending run ``e`` up; those that wait for its end
# do not. What is under way is read once, and only where a run has limits of its own.
_HELD = """coalesce(e.mutex IN (SELECT b.mutex FROM busy b WHERE b.mutex IS NOT NULL)
        AND (e.callers = '{}'
            OR EXISTS (SELECT FROM busy b WHERE b.mutex = e.mutex AND b.id <> ALL (e.callers))), false)
    OR coalesce(e.concurrency_limit <= (SELECT c.running FROM counts c WHERE c.workflow_id = e.workflow_id)
        AND (e.callers = '{}' OR e.concurrency_limit <= (
            SELECT count(*) FROM busy b WHERE b.workflow_id = e.workflow_id AND b.id <> ALL (e.callers))), false)"""
_OPEN = """
    FROM headgate.workflow_executions e
    JOIN headgate.workflows w ON w.workspace_id = e.workspace_id AND w.id = e.workflow_id AND NOT w.suspended
    WHERE e.workspace_id = %(workspace_id)s AND e.status = 'Pending' AND e.id <> ALL(%(passed)s)
"""
_PENDING = compact(f"""
    WITH busy AS MATERIALIZED (
        SELECT id, workflow_id, mutex FROM headgate.workflow_executions
        WHERE workspace_id = %(workspace_id)s AND status IN ('Running', 'Suspended') AND running_since IS NOT NULL
            AND mode = 'Normal'
    ), counts AS MATERIALIZED (
        SELECT workflow_id, count(*) AS running FROM busy GROUP BY workflow_id
    )
    (SELECT e.id, 'first' AS what {_OPEN} AND NOT ({_HELD}) ORDER BY e.priority DESC, e.started_at, e.id LIMIT 1)
    UNION ALL
    (SELECT e.id, 'called' AS what {_OPEN} AND e.callers <> '{{}}' AND NOT ({_HELD})
        AND e.parent_run IN (SELECT b.id FROM busy b)
        AND e.parent_run NOT IN (
            SELECT p.lender FROM headgate.borrowed_places p WHERE p.workspace_id = %(workspace_id)s)
     ORDER BY e.priority DESC, e.started_at, e.id LIMIT 1)
    UNION ALL
    (SELECT e.id, 'held' AS what {_OPEN} AND (e.mutex IS NOT NULL OR e.concurrency_limit IS NOT NULL)
        AND coalesce(e.waiting_reason, '') NOT IN ({literals(OWN_LIMITS)}) AND ({_HELD})
     ORDER BY e.priority DESC, e.started_at, e.id LIMIT %(limit)s)
""")  # noqa: S608 - constants


@dataclass(frozen=True)
class PendingRuns:
    """What may be tried next of a workspace's Pending runs."""

    first: UUID | None
    """Of those that nothing of their own holds up: the one of the highest priority, and of these the oldest."""
    called: UUID | None
    """Of these, the first one that may start in its caller's place, and so needs no other."""
    unaware: tuple[UUID, ...]
    """Runs that limits of their own hold up by now, and that are recorded as waiting for something else."""


async def pending(tx: Transaction, workspace_id: UUID, passed: Collection[UUID], limit: int) -> PendingRuns:
    """Pending runs of workflows that are not suspended, those in ``passed`` left out; ``limit`` is for the unaware."""
    rows = await tx.rows(_PENDING, {"workspace_id": workspace_id, "passed": list(passed), "limit": limit})
    of = {what: [row.id for row in rows if row.what == what] for what in ("first", "called", "held")}
    return PendingRuns(next(iter(of["first"]), None), next(iter(of["called"]), None), tuple(of["held"]))


_WAITING_FOR_MUTEX = """
    SELECT id FROM headgate.workflow_executions
    WHERE workspace_id = %(workspace_id)s AND mutex = %(mutex)s AND status = 'Pending'
    ORDER BY priority DESC, started_at, id LIMIT %(limit)s
"""


async def waiting_for_mutex(tx: Transaction, workspace_id: UUID, mutex: str, limit: int) -> list[UUID]:
    """The runs that would be the next to have the mutex."""
    parameters = {"workspace_id": workspace_id, "mutex": mutex, "limit": limit}
    return [row.id for row in await tx.rows(_WAITING_FOR_MUTEX, parameters)]
