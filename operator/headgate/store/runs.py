"""Statements about runs: admit one, start one that waited, load one, record what happened, finish it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from headgate.store.database import Transaction
from headgate.store.records import RunKey, StepRow, TaskRow, rows_to_json, to_json

# Whether the workspace has room for one more run, decided on its usage row, which stays locked until the transaction
# ends: that makes limits exact. The row is locked here and not before, so that it is held for a moment only.
_ROOM = """
    room AS (
        SELECT CASE
            WHEN w.suspended THEN 'Suspended'
            WHEN f.suspended THEN 'WorkflowSuspended'
            WHEN CASE WHEN u.day >= :today THEN u.executions ELSE 0 END >= q.max_executions_per_day THEN 'DailyLimit'
            WHEN u.running >= q.max_concurrent_runs THEN 'ConcurrencyLimit'
            WHEN u.queued > 0 AND NOT :overtake THEN 'Queued'
        END AS reason, asked.counted
        FROM asked
        JOIN headgate.workspace_usage u ON u.workspace_id = :workspace_id
        JOIN headgate.workspace_resource_quotas q ON q.workspace_id = u.workspace_id
        JOIN headgate.workspaces w ON w.id = u.workspace_id
        JOIN headgate.workflows f ON f.workspace_id = u.workspace_id AND f.id = :workflow_id
        FOR UPDATE OF u
    ), verdict AS (
        SELECT reason, counted, CASE WHEN reason IS NULL OR reason = 'WorkflowSuspended' THEN 0 ELSE 1 END AS queued,
            CASE WHEN reason IS NULL THEN 1 ELSE 0 END AS started
        FROM room
    ), used AS (
        UPDATE headgate.workspace_usage u
        SET running = u.running + v.started * :slots,
            queued = u.queued + v.queued - v.counted,
            executions = CASE WHEN u.day >= :today THEN u.executions ELSE 0 END + v.started,
            day = GREATEST(u.day, :today)
        FROM verdict v
        WHERE u.workspace_id = :workspace_id AND (v.started = 1 OR v.queued <> v.counted)
    )
"""


def _steps(gate: str) -> str:
    return f"""
    INSERT INTO headgate.workflow_execution_steps (workspace_id, execution_id, started_at, node, attempt, phase, branch,
        reason, message, exit_code, output, attempt_started_at, attempt_finished_at)
    SELECT :workspace_id, :run_id, :started_at, s.node, s.attempt, s.phase, s.branch, s.reason, s.message, s.exit_code,
        s.output, s.attempt_started_at, s.attempt_finished_at
    FROM jsonb_to_recordset(CAST(:steps AS jsonb)) AS s (node text, attempt integer, phase text, branch text,
        reason text, message text, exit_code integer, output jsonb, attempt_started_at timestamptz,
        attempt_finished_at timestamptz) {gate}
    """  # noqa: S608 - constants


def _tasks(gate: str) -> str:
    return f"""
    INSERT INTO headgate.tasks (workspace_id, execution_id, node, attempt, namespace, workflow, container,
        timeout_seconds, due_at, waiting_reason, waiting_message, waiting_until)
    SELECT :workspace_id, :run_id, t.node, t.attempt, :namespace, :workflow, t.container, t.timeout_seconds, t.due_at,
        t.waiting_reason, t.waiting_message, t.waiting_until
    FROM jsonb_to_recordset(CAST(:tasks AS jsonb)) AS t (node text, attempt integer, container jsonb,
        timeout_seconds integer, due_at timestamptz, waiting_reason text, waiting_message text,
        waiting_until timestamptz) {gate}
    """  # noqa: S608 - constants


_STARTED = "JOIN verdict v ON v.started = 1"

_ADMIT = text(f"""
    WITH reserved AS (
        INSERT INTO headgate.execution_triggers (workspace_id, trigger_key, execution_id, created_at)
        VALUES (:workspace_id, :trigger_key, :run_id, :started_at)
        ON CONFLICT (workspace_id, trigger_key) DO NOTHING
        RETURNING execution_id
    ), asked AS (
        SELECT 0 AS counted FROM reserved
    ), {_ROOM}, run AS (
        INSERT INTO headgate.workflow_executions (workspace_id, id, started_at, workflow_id, version_id, status,
            trigger_kind, trigger_key, trigger_node, resource, inputs, waiting_reason, waiting_until, running_since,
            deadline, finished_at, duration_ms, error_message)
        SELECT :workspace_id, :run_id, :started_at, :workflow_id, :version_id,
            CASE started WHEN 1 THEN :status ELSE 'Pending' END, :trigger_kind, :trigger_key, :trigger_node, :resource,
            CAST(:inputs AS jsonb), reason, CASE reason WHEN 'DailyLimit' THEN CAST(:next_day AS timestamptz) END,
            CASE started WHEN 1 THEN CAST(:now AS timestamptz) END,
            CASE started WHEN 1 THEN CAST(:deadline AS timestamptz) END,
            CASE started WHEN 1 THEN CAST(:finished_at AS timestamptz) END,
            CASE started WHEN 1 THEN CAST(:duration_ms AS bigint) END,
            CASE started WHEN 1 THEN CAST(:error_message AS text) END
        FROM verdict
    ), steps AS ({_steps(_STARTED)}), queue AS ({_tasks(_STARTED)})
    SELECT reason FROM verdict
""")  # noqa: S608 - constants

_START = text(f"""
    WITH asked AS (
        SELECT CASE waiting_reason WHEN 'WorkflowSuspended' THEN 0 ELSE 1 END AS counted
        FROM headgate.workflow_executions
        WHERE workspace_id = :workspace_id AND started_at = :started_at AND id = :run_id AND status = 'Pending'
    ), {_ROOM}, run AS (
        UPDATE headgate.workflow_executions e
        SET status = CASE started WHEN 1 THEN :status ELSE 'Pending' END,
            waiting_reason = v.reason,
            waiting_until = CASE v.reason WHEN 'DailyLimit' THEN CAST(:next_day AS timestamptz) END,
            running_since = CASE started WHEN 1 THEN CAST(:now AS timestamptz) END,
            deadline = CASE started WHEN 1 THEN CAST(:deadline AS timestamptz) END,
            finished_at = CASE started WHEN 1 THEN CAST(:finished_at AS timestamptz) END,
            duration_ms = CASE started WHEN 1 THEN CAST(:duration_ms AS bigint) END,
            error_message = CASE started WHEN 1 THEN CAST(:error_message AS text) END
        FROM verdict v
        WHERE e.workspace_id = :workspace_id AND e.started_at = :started_at AND e.id = :run_id
            AND e.waiting_reason IS DISTINCT FROM v.reason
    ), steps AS ({_steps(_STARTED)}), queue AS ({_tasks(_STARTED)})
    SELECT reason FROM verdict
""")  # noqa: S608 - constants


@dataclass(frozen=True)
class NewRun:
    """A run as it is when its first nodes have been decided on; recorded as Pending where there is no room for it."""

    key: RunKey
    workflow_id: UUID
    namespace: str
    workflow: str
    now: datetime
    today: date
    next_day: datetime
    status: str
    """Running, or how it ended where nothing of it has to wait."""
    deadline: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    error_message: str | None
    steps: tuple[StepRow, ...]
    tasks: tuple[TaskRow, ...]

    def parameters(self) -> dict[str, Any]:
        """As parameters of the statements that admit and start."""
        return self.key.parameters() | {
            "workflow_id": self.workflow_id,
            "namespace": self.namespace,
            "workflow": self.workflow,
            "now": self.now,
            "today": self.today,
            "next_day": self.next_day,
            "status": self.status,
            "slots": 1 if self.finished_at is None else 0,
            "deadline": self.deadline,
            "finished_at": self.finished_at,
            "duration_ms": self.duration_ms,
            "error_message": self.error_message,
            "steps": rows_to_json(self.steps),
            "tasks": rows_to_json(self.tasks),
        }


@dataclass(frozen=True)
class Origin:
    """What asked for a run."""

    version_id: UUID
    kind: str
    key: str
    node: str
    resource: str | None
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Whether a run started; ``reason`` says what it waits for if not."""

    reason: str | None


async def admit(tx: Transaction, run: NewRun, origin: Origin) -> Verdict | None:
    """Record a run, started where there is room. None when its key had been used: then nothing was written."""
    parameters = run.parameters() | {
        "version_id": origin.version_id,
        "trigger_kind": origin.kind,
        "trigger_key": origin.key,
        "trigger_node": origin.node,
        "resource": origin.resource,
        "inputs": to_json(origin.inputs),
        "overtake": False,
    }
    row = (await tx.execute(_ADMIT, parameters)).first()
    return None if row is None else Verdict(row.reason)


async def start(tx: Transaction, run: NewRun) -> Verdict | None:
    """Start a Pending run if there is room now. None when it is not Pending any more."""
    row = (await tx.execute(_START, run.parameters() | {"overtake": True})).first()
    return None if row is None else Verdict(row.reason)


@dataclass(frozen=True)
class StateRow:
    """The latest attempt of a node."""

    node: str
    attempt: int
    phase: str
    branch: str | None
    reason: str
    message: str


@dataclass(frozen=True)
class OpenTask:
    """The queue's row of one attempt."""

    container: Mapping[str, Any]
    timeout_seconds: int


@dataclass(frozen=True)
class LoadedRun:
    """A run with the states of its nodes and, where one was asked for and is open, one task."""

    key: RunKey
    status: str
    workflow_id: UUID
    version_id: UUID
    trigger_node: str
    states: tuple[StateRow, ...]
    task: OpenTask | None


_LOAD = text("""
    SELECT e.status, e.workflow_id, e.version_id, e.trigger_node, t.container, t.timeout_seconds,
        (SELECT jsonb_agg(jsonb_build_array(node, attempt, phase, branch, reason, message)) FROM (
            SELECT DISTINCT ON (node) node, attempt, phase, branch, reason,
                CASE phase WHEN 'Failed' THEN message ELSE '' END AS message
            FROM headgate.workflow_execution_steps
            WHERE workspace_id = :workspace_id AND started_at = :started_at AND execution_id = :run_id
            ORDER BY node, attempt DESC
        ) latest) AS states
    FROM headgate.workflow_executions e
    LEFT JOIN headgate.tasks t ON t.workspace_id = e.workspace_id AND t.execution_id = e.id
        AND t.node = :node AND t.attempt = :attempt
    WHERE e.workspace_id = :workspace_id AND e.started_at = :started_at AND e.id = :run_id
""")


async def load(tx: Transaction, key: RunKey, node: str = "", attempt: int = 0) -> LoadedRun | None:
    """A run as it is, with the task of ``attempt`` of ``node``. To decide on it, hold the run's lock."""
    row = (await tx.execute(_LOAD, key.parameters() | {"node": node, "attempt": attempt})).first()
    if row is None:
        return None
    return LoadedRun(
        key=key,
        status=row.status,
        workflow_id=row.workflow_id,
        version_id=row.version_id,
        trigger_node=row.trigger_node,
        states=tuple(StateRow(*state) for state in row.states or ()),
        task=None if row.container is None else OpenTask(row.container, row.timeout_seconds),
    )


_FACTS = text("""
    SELECT e.inputs, (
        SELECT jsonb_object_agg(s.node, s.output) FROM headgate.workflow_execution_steps s
        WHERE s.workspace_id = :workspace_id AND s.started_at = :started_at AND s.execution_id = :run_id
            AND s.phase = 'Succeeded' AND s.node = ANY(:nodes) AND s.output IS NOT NULL
    ) AS outputs
    FROM headgate.workflow_executions e
    WHERE e.workspace_id = :workspace_id AND e.started_at = :started_at AND e.id = :run_id
""")


async def facts(tx: Transaction, key: RunKey, nodes: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The run's inputs, and the outputs of ``nodes`` that have one."""
    row = (await tx.execute(_FACTS, key.parameters() | {"nodes": list(nodes)})).one()
    return row.inputs, row.outputs or {}


_RECORD = text(f"""
    WITH steps AS ({_steps("")}
        ON CONFLICT (workspace_id, started_at, execution_id, node, attempt) DO UPDATE
        SET phase = excluded.phase, branch = excluded.branch, reason = excluded.reason, message = excluded.message,
            exit_code = excluded.exit_code, output = excluded.output,
            attempt_started_at = coalesce(excluded.attempt_started_at,
                workflow_execution_steps.attempt_started_at),
            attempt_finished_at = excluded.attempt_finished_at
    ), done AS (
        DELETE FROM headgate.tasks
        WHERE workspace_id = :workspace_id AND execution_id = :run_id AND node = :done_node AND attempt = :done_attempt
    ) {_tasks("")}
""")  # noqa: S608 - constants


async def record(
    tx: Transaction,
    key: RunKey,
    *,
    namespace: str,
    workflow: str,
    done: tuple[str, int],
    steps: Iterable[StepRow],
    tasks: Iterable[TaskRow],
) -> None:
    """Take the attempt ``done`` off the queue, write ``steps`` (over those that are there) and queue ``tasks``."""
    parameters = {
        "namespace": namespace,
        "workflow": workflow,
        "done_node": done[0],
        "done_attempt": done[1],
        "steps": rows_to_json(steps),
        "tasks": rows_to_json(tasks),
    }
    await tx.execute(_RECORD, key.parameters() | parameters)


_FINISH = text("""
    WITH finished AS (
        UPDATE headgate.workflow_executions
        SET status = :status, finished_at = :finished_at, duration_ms = :duration_ms, error_message = :error_message,
            waiting_reason = NULL, waiting_until = NULL
        WHERE workspace_id = :workspace_id AND started_at = :started_at AND id = :run_id AND status = 'Running'
        RETURNING 1
    )
    UPDATE headgate.workspace_usage SET running = running - 1
    WHERE workspace_id = :workspace_id AND EXISTS (SELECT FROM finished)
    RETURNING queued
""")


async def finish(
    tx: Transaction, key: RunKey, *, status: str, finished_at: datetime, duration_ms: int, error_message: str | None
) -> int:
    """End a Running run and give back its place. Returns how many runs wait for room in the workspace."""
    parameters = {
        "status": status,
        "finished_at": finished_at,
        "duration_ms": duration_ms,
        "error_message": error_message,
    }
    return int(await tx.scalar(_FINISH, key.parameters() | parameters) or 0)
