"""The statement by which attempts are claimed that become Jobs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from headgate.domain.task import ClaimTerms
from headgate.store.database import Transaction
from headgate.store.fragments import compact
from headgate.store.tasks import QUEUED_COLUMNS, QueuedTask, queued_task

# Workspaces take turns, by weight. A turn is a number: a workspace's next task has the turn of its last one and one
# divided by its weight; a workspace that comes anew, or again, has the present turn, so that having been idle neither
# saves up turns nor costs any. ``dispatch_turns`` keeps the numbers from claim to claim: whoever was served least goes
# first, however few a claim takes.
#
# ``present`` and ``levels`` hop along the index, from workspace to workspace and from priority to priority, instead of
# reading the queue, so that a claim costs the number of workspaces that have something queued, however much it is. What
# another transaction has locked is left to it.
#
# ``room`` is how many attempts of a workspace may get a pod. Those whose pods find no node stand in the scheduler's
# queue, which knows no turns; more of them would only delay those of others, and be tried again whenever a pod ends.
# What has stood there for long does not count: it may be for want of what no pod that ends gives back.
_JOBS = "FROM headgate.tasks t WHERE t.kind = 'job' AND t.due_at IS NOT NULL AND"
# What was locked is found again by >= and <= instead of =, which can only be looked up in the index: under statistics
# of an almost empty queue the server would rather read all of the queue once, and join.
_EACH = "(t.workspace_id, t.execution_id, t.node, t.attempt)"
_CLAIM = compact(f"""
    WITH RECURSIVE present AS (
        (SELECT workspace_id FROM headgate.tasks WHERE due_at IS NOT NULL ORDER BY workspace_id LIMIT 1)
        UNION ALL
        SELECT (SELECT t.workspace_id FROM headgate.tasks t
                WHERE t.due_at IS NOT NULL AND t.workspace_id > p.workspace_id ORDER BY t.workspace_id LIMIT 1)
        FROM present p WHERE p.workspace_id IS NOT NULL
    ), roomy AS (
        SELECT p.workspace_id, %(unscheduled)s - (SELECT count(*) FROM (
            SELECT FROM headgate.tasks t WHERE t.workspace_id = p.workspace_id AND t.waiting_reason = 'Unschedulable'
                AND t.job_uid IS NOT NULL AND t.waiting_since > %(lately)s LIMIT %(unscheduled)s
        ) u) AS room FROM present p WHERE p.workspace_id IS NOT NULL
    ), levels AS (
        SELECT p.workspace_id, p.room, (SELECT t.priority {_JOBS} t.workspace_id = p.workspace_id
            ORDER BY t.priority DESC LIMIT 1) AS priority
        FROM roomy p WHERE p.room > 0
        UNION ALL
        SELECT l.workspace_id, l.room, (SELECT t.priority {_JOBS} t.workspace_id = l.workspace_id
            AND t.priority < l.priority ORDER BY t.priority DESC LIMIT 1)
        FROM levels l WHERE l.priority IS NOT NULL
    ), candidates AS (
        SELECT d.*, l.room, row_number() OVER (PARTITION BY d.workspace_id ORDER BY d.priority DESC, d.due_at) AS place
        FROM levels l CROSS JOIN LATERAL (
            SELECT t.workspace_id, t.execution_id, t.node, t.attempt, t.priority, t.due_at
            {_JOBS} t.workspace_id = l.workspace_id AND t.priority = l.priority AND t.due_at <= %(now)s
                AND t.execution_id <> ALL(%(leave)s)
            ORDER BY t.due_at LIMIT least(%(limit)s, l.room)
        ) d
    ), present_turn AS (
        SELECT coalesce(max(last_turn), 0) AS turn FROM headgate.dispatch_turns
    ), chosen AS (
        SELECT c.*, 1.0 / q.weight AS step,
            GREATEST(coalesce(s.next_turn, 0), present_turn.turn) + (c.place - 1.0) / q.weight AS turn
        FROM candidates c CROSS JOIN present_turn JOIN headgate.workspace_resource_quotas q USING (workspace_id)
        LEFT JOIN headgate.dispatch_turns s USING (workspace_id)
        WHERE c.place <= c.room
        ORDER BY turn, due_at, workspace_id LIMIT %(limit)s
    ), locked AS (
        SELECT t.*, c.turn, c.step, c.due_at AS due_before FROM chosen c CROSS JOIN LATERAL (
            SELECT t.workspace_id, t.execution_id, t.node, t.attempt FROM headgate.tasks t
            WHERE t.workspace_id = c.workspace_id AND t.execution_id = c.execution_id AND t.node = c.node
                AND t.attempt = c.attempt AND (t.due_at <= %(now)s) IS TRUE
            FOR UPDATE SKIP LOCKED
        ) t
    ), served AS (
        INSERT INTO headgate.dispatch_turns AS s (workspace_id, last_turn, next_turn)
        SELECT workspace_id, max(turn), max(turn + step) FROM locked GROUP BY workspace_id
        ON CONFLICT (workspace_id) DO UPDATE SET last_turn = excluded.last_turn, next_turn = excluded.next_turn
    ), forgotten AS (
        DELETE FROM headgate.dispatch_turns s WHERE s.next_turn <= (SELECT max(turn) FROM locked)
            AND NOT EXISTS (SELECT FROM locked l WHERE l.workspace_id = s.workspace_id)
    ), claimed AS (
        UPDATE headgate.tasks t SET due_at = %(lease_until)s, holder = %(holder)s
        FROM locked l
        WHERE {_EACH} >= (l.workspace_id, l.execution_id, l.node, l.attempt)
            AND {_EACH} <= (l.workspace_id, l.execution_id, l.node, l.attempt)
        RETURNING t.*, l.turn, l.due_before
    ), upcoming AS (
        SELECT min(n.due_at) AS next_due FROM levels l CROSS JOIN LATERAL (
            SELECT t.due_at {_JOBS} t.workspace_id = l.workspace_id AND t.priority = l.priority
                AND t.due_at > %(now)s ORDER BY t.due_at LIMIT 1
        ) n
    )
    SELECT u.next_due, {QUEUED_COLUMNS}
    FROM upcoming u LEFT JOIN (claimed t JOIN headgate.workspaces w ON w.id = t.workspace_id) ON true
    ORDER BY t.turn, t.due_before, t.workspace_id
""")  # noqa: S608 - constants

STUCK_AFTER = timedelta(minutes=1)
"""How long a pod that finds no node holds others back."""

CLAIM_LOCK = 0x6865616467617465
"""Held by a transaction that claims, so that claims see each other's turns."""


async def claim(
    tx: Transaction, terms: ClaimTerms, now: datetime, leave: Collection[UUID] = ()
) -> tuple[list[QueuedTask], datetime | None]:
    """Lease due tasks by these terms, fairly over workspaces. Also the earliest time at which another falls due.

    Those of the runs in ``leave`` are left to others. Hold ``CLAIM_LOCK``, and read by index.
    """
    parameters = {
        "holder": terms.holder,
        "limit": terms.limit,
        "now": now,
        "lease_until": now + terms.lease,
        "leave": list(leave),
        "unscheduled": terms.unscheduled,
        "lately": now - STUCK_AFTER,
    }
    rows = await tx.rows(_CLAIM, parameters)
    return [queued_task(row) for row in rows if row.node is not None], rows[0].next_due
