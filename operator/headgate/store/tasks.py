"""Statements about the queue."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.domain.cost import Rate
from headgate.store.database import Transaction
from headgate.store.fragments import compact
from headgate.store.records import to_json


@dataclass(frozen=True)
class TaskKey:
    """One attempt."""

    workspace_id: UUID
    run_id: UUID
    node: str
    attempt: int

    def parameters(self) -> dict[str, Any]:
        """As parameters ``workspace_id``, ``run_id``, ``node`` and ``attempt``."""
        return {
            "workspace_id": self.workspace_id,
            "run_id": self.run_id,
            "node": self.node,
            "attempt": self.attempt,
        }


@dataclass(frozen=True)
class QueuedTask:
    """A row of the queue with what it takes to make a Job of it."""

    key: TaskKey
    workspace: str
    namespace: str
    workflow: str
    work: Mapping[str, Any]
    timeout_seconds: int
    job_uid: str | None
    stopping: bool = False
    """Whether it was asked to end."""


_COLUMNS = """t.workspace_id, t.execution_id, t.node, t.attempt, w.name AS workspace, t.namespace, t.workflow,
    t.work, t.timeout_seconds, t.job_uid, t.stopping"""

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
    SELECT u.next_due, {_COLUMNS}
    FROM upcoming u LEFT JOIN (claimed t JOIN headgate.workspaces w ON w.id = t.workspace_id) ON true
    ORDER BY t.turn, t.due_before, t.workspace_id
""")  # noqa: S608 - constants

STUCK_AFTER = timedelta(minutes=1)
"""How long a pod that finds no node holds others back."""

CLAIM_LOCK = 0x6865616467617465
"""Held by a transaction that claims, so that claims see each other's turns."""


async def claim(
    tx: Transaction,
    *,
    holder: str,
    limit: int,
    now: datetime,
    lease_until: datetime,
    unscheduled: int,
    leave: Collection[UUID] = (),
) -> tuple[list[QueuedTask], datetime | None]:
    """Lease up to ``limit`` due tasks, fairly over workspaces. Also the earliest time at which another falls due.

    Those of the runs in ``leave`` are left to others, and those stay of whose workspace ``unscheduled`` pods find no
    node. Hold ``CLAIM_LOCK``, and read by index.
    """
    parameters = {
        "holder": holder,
        "limit": limit,
        "now": now,
        "lease_until": lease_until,
        "leave": list(leave),
        "unscheduled": unscheduled,
        "lately": now - STUCK_AFTER,
    }
    rows = await tx.rows(_CLAIM, parameters)
    return [_task(row) for row in rows if row.node is not None], rows[0].next_due


_GIVE_BACK = """
    UPDATE headgate.tasks t SET due_at = %(now)s
    FROM jsonb_to_recordset(CAST(%(attempts)s AS jsonb))
        AS a (workspace_id uuid, run_id uuid, node text, attempt integer)
    WHERE t.workspace_id = a.workspace_id AND t.execution_id = a.run_id AND t.node = a.node AND t.attempt = a.attempt
        AND t.holder = %(holder)s AND t.job_uid IS NULL AND t.due_at > %(now)s
"""


async def give_back(tx: Transaction, attempts: Iterable[TaskKey], *, holder: str, now: datetime) -> None:
    """End the holder's leases of attempts before their time."""
    listed = to_json([_listed(key) for key in attempts])
    await tx.execute(_GIVE_BACK, {"attempts": listed, "holder": holder, "now": now})


_OPEN = (
    f"SELECT {_COLUMNS} FROM headgate.tasks t JOIN headgate.workspaces w ON w.id = t.workspace_id WHERE t.kind = 'job'"  # noqa: S608 - constants
)


async def open_tasks(tx: Transaction) -> list[QueuedTask]:
    """The whole queue."""
    return [_task(row) for row in await tx.rows(_OPEN)]


_STOPPING = """
    SELECT workspace_id, execution_id AS run_id, node, attempt FROM headgate.tasks WHERE stopping AND kind = 'job'
"""


async def stopping_jobs(tx: Transaction) -> list[TaskKey]:
    """The open attempts of Jobs that are asked to end. A system transaction's."""
    return [TaskKey(*row) for row in await tx.rows(_STOPPING)]


_SET_JOBS = """
    WITH made AS (
        SELECT * FROM jsonb_to_recordset(CAST(%(jobs)s AS jsonb))
            AS j (workspace_id uuid, run_id uuid, node text, attempt integer, job_uid text)
    ), waited AS (
        SELECT m.*, t.waiting_reason IS NOT NULL AS waited FROM made m
        JOIN headgate.tasks t ON t.workspace_id = m.workspace_id AND t.execution_id = m.run_id AND t.node = m.node
            AND t.attempt = m.attempt
    ), known AS (
        UPDATE headgate.tasks t SET job_uid = m.job_uid, due_at = NULL, waiting_reason = NULL, waiting_message = NULL,
            waiting_until = NULL
        FROM waited m
        WHERE t.workspace_id = m.workspace_id AND t.execution_id = m.run_id AND t.node = m.node
            AND t.attempt = m.attempt
        RETURNING t.workspace_id, t.execution_id, t.node, t.attempt, m.waited
    )
    SELECT m.workspace_id, m.run_id, m.node, m.attempt, k.node IS NULL AS gone FROM made m
    LEFT JOIN known k ON k.workspace_id = m.workspace_id AND k.execution_id = m.run_id AND k.node = m.node
        AND k.attempt = m.attempt
    WHERE k.node IS NULL OR k.waited
"""


async def set_jobs(tx: Transaction, jobs: Iterable[tuple[TaskKey, str]]) -> tuple[list[TaskKey], frozenset[UUID]]:
    """Remember the uids of the Jobs of attempts, which therefore wait for no retry and no room any more.

    Returns the attempts that are not open any more, and the runs of those that waited.
    """
    listed = [_listed(key) | {"job_uid": uid} for key, uid in jobs]
    rows = await tx.rows(_SET_JOBS, {"jobs": to_json(listed)})
    gone = [TaskKey(row.workspace_id, row.run_id, row.node, row.attempt) for row in rows if row.gone]
    return gone, frozenset(row.run_id for row in rows if not row.gone)


_MARK_RUNNING = """
    WITH cleared AS (
        UPDATE headgate.tasks SET waiting_reason = NULL, waiting_message = NULL, waiting_until = NULL
        WHERE workspace_id = %(workspace_id)s AND execution_id = %(run_id)s AND node = %(node)s
            AND attempt = %(attempt)s
            AND waiting_reason IS NOT NULL
        RETURNING 1
    ), running AS (
        UPDATE headgate.workflow_execution_steps SET phase = 'Running', attempt_started_at = %(attempt_started_at)s,
            hourly_rate = CAST(%(hourly_rate)s AS numeric), price_version = CAST(%(price_version)s AS text)
        WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
            AND node = %(node)s
            AND attempt = %(attempt)s AND phase = 'Queued'
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM cleared) OR EXISTS (SELECT FROM running)
"""


async def mark_running(
    tx: Transaction, key: TaskKey, run_started_at: datetime, started_at: datetime, rate: Rate | None = None
) -> bool:
    """Record that an attempt runs, and at what price. Returns whether that was news."""
    parameters = {
        "started_at": run_started_at,
        "attempt_started_at": started_at,
        "hourly_rate": rate.hourly if rate is not None else None,
        "price_version": rate.version if rate is not None else None,
    }
    return bool(await tx.value(_MARK_RUNNING, key.parameters() | parameters))


_SET_WAITING = """
    UPDATE headgate.tasks
    SET waiting_reason = %(reason)s, waiting_message = %(message)s, waiting_until = %(until)s,
        waiting_since = CASE WHEN waiting_reason = %(reason)s THEN waiting_since ELSE %(now)s END
    WHERE workspace_id = %(workspace_id)s AND execution_id = %(run_id)s AND node = %(node)s AND attempt = %(attempt)s
        AND (waiting_reason, waiting_message, waiting_until) IS DISTINCT FROM
            (CAST(%(reason)s AS text), CAST(%(message)s AS text), CAST(%(until)s AS timestamptz))
"""


async def set_waiting(
    tx: Transaction, key: TaskKey, reason: str | None, message: str | None, until: datetime | None, now: datetime
) -> bool:
    """Record what an attempt waits for from ``now`` on. Returns whether that was news."""
    parameters = {"reason": reason, "message": message, "until": until, "now": now}
    return bool(await tx.execute(_SET_WAITING, key.parameters() | parameters))


def _listed(key: TaskKey) -> dict[str, Any]:
    return key.parameters() | {"workspace_id": str(key.workspace_id), "run_id": str(key.run_id)}


def _task(row: Any) -> QueuedTask:
    return QueuedTask(
        TaskKey(row.workspace_id, row.execution_id, row.node, row.attempt),
        row.workspace,
        row.namespace,
        row.workflow,
        row.work,
        row.timeout_seconds,
        row.job_uid,
        row.stopping,
    )
