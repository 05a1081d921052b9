"""Statements about the queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.domain.cost import Footprint, Rate
from headgate.store.database import Transaction
from headgate.store.fragments import ONE, SEVERAL, Source
from headgate.store.joint import BETWEEN, Joint, columns, of_runs
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


QUEUED_COLUMNS = """t.workspace_id, t.execution_id, t.node, t.attempt, w.name AS workspace, t.namespace, t.workflow,
    t.work, t.timeout_seconds, t.job_uid, t.stopping"""

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


_OPEN = f"""
    SELECT {QUEUED_COLUMNS} FROM headgate.tasks t JOIN headgate.workspaces w ON w.id = t.workspace_id
    WHERE t.kind = 'job'
"""  # noqa: S608 - constants


async def open_tasks(tx: Transaction) -> list[QueuedTask]:
    """The whole queue."""
    return [queued_task(row) for row in await tx.rows(_OPEN)]


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
        UPDATE headgate.tasks t SET job_uid = m.job_uid, due_at = NULL,
            waiting_reason = CASE WHEN t.waiting_since >= %(since)s THEN t.waiting_reason END,
            waiting_message = CASE WHEN t.waiting_since >= %(since)s THEN t.waiting_message END,
            waiting_until = CASE WHEN t.waiting_since >= %(since)s THEN t.waiting_until END
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


async def set_jobs(
    tx: Transaction, jobs: Iterable[tuple[TaskKey, str]], since: datetime
) -> tuple[list[TaskKey], frozenset[UUID]]:
    """Remember the uids of the Jobs of attempts, which therefore wait for no retry and no room any more.

    What they are known to wait for ``since`` then, when none of the Jobs was made yet, is their pods', and stays.
    Returns the attempts that are not open any more, and the runs of those that waited.
    """
    listed = [_listed(key) | {"job_uid": uid} for key, uid in jobs]
    rows = await tx.rows(_SET_JOBS, {"jobs": to_json(listed), "since": since})
    gone = [TaskKey(row.workspace_id, row.run_id, row.node, row.attempt) for row in rows if row.gone]
    return gone, frozenset(row.run_id for row in rows if not row.gone)


def set_running(told: Source, attempt: Source, of: str = "", within: str = "") -> str:
    """Has queued attempts run. ``told`` has how, ``of`` goes before the condition, and ``within`` after it."""
    return f"""
        UPDATE headgate.workflow_execution_steps s SET phase = 'Running',
            attempt_started_at = {told["attempt_started_at"]},
            hourly_rate = CAST({told["hourly_rate"]} AS numeric),
            price_version = CAST({told["price_version"]} AS text),
            cpu_requested = CAST({told["cpu_requested"]} AS numeric),
            memory_requested = CAST({told["memory_requested"]} AS numeric) {of}
        WHERE s.workspace_id = %(workspace_id)s AND s.started_at = {attempt["started_at"]}
            AND s.execution_id = {attempt["run_id"]} AND s.node = {attempt["node"]}
            AND s.attempt = {attempt["attempt"]} AND s.phase = 'Queued' {within}"""  # noqa: S608 - constants


def running_parameters(started_at: datetime, rate: Rate | None, held: Footprint | None) -> dict[str, Any]:
    """As parameters of what ``set_running`` makes."""
    return {
        "attempt_started_at": started_at,
        "hourly_rate": rate.hourly if rate is not None else None,
        "price_version": rate.version if rate is not None else None,
        "cpu_requested": held.cpu.value if held is not None else None,
        "memory_requested": held.memory.value if held is not None else None,
    }


def _mark_running(source: Source) -> str:
    of = "FROM asked a" if source is SEVERAL else ""
    within = f"AND s.started_at {BETWEEN}" if source is SEVERAL else ""
    return f"""cleared AS (
        UPDATE headgate.tasks t SET waiting_reason = NULL, waiting_message = NULL, waiting_until = NULL {of}
        WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = {source["run_id"]} AND t.node = {source["node"]}
            AND t.attempt = {source["attempt"]} AND t.waiting_reason IS NOT NULL
        RETURNING t.execution_id, t.node
    ), running AS ({set_running(source, source, of, within)}
        RETURNING s.execution_id, s.node
    ), news AS (SELECT * FROM cleared UNION ALL SELECT * FROM running)"""  # noqa: S608 - constants


_MARKED = {
    "run_id": "uuid",
    "started_at": "timestamptz",
    "node": "text",
    "attempt": "integer",
    "attempt_started_at": "timestamptz",
    "hourly_rate": "text",
    "price_version": "text",
    "cpu_requested": "text",
    "memory_requested": "text",
}
_MARK_RUNNING = Joint(
    30,
    f"WITH {_mark_running(ONE)} SELECT EXISTS (SELECT FROM news) AS news",  # noqa: S608 - constants
    f"""
    WITH {columns(**_MARKED)}, {_mark_running(SEVERAL)}
    SELECT a.number, EXISTS (SELECT FROM news n WHERE n.execution_id = a.run_id AND n.node = a.node) AS news
    FROM asked a
""",  # noqa: S608 - constants
    of_runs,
)


async def mark_running(
    tx: Transaction,
    key: TaskKey,
    run_started_at: datetime,
    started_at: datetime,
    rate: Rate | None = None,
    held: Footprint | None = None,
) -> bool:
    """Record that an attempt runs, what it requests, and at what price. Returns whether that was news."""
    parameters = key.parameters() | {"started_at": run_started_at} | running_parameters(started_at, rate, held)
    [row] = await tx.joint(_MARK_RUNNING, parameters)
    return bool(row.news)


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


def queued_task(row: Any) -> QueuedTask:
    """The task of a row with these columns."""
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
