"""Statements by which people steer runs: stop, suspend, go on, retry, decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.domain.apart import told
from headgate.store.database import Transaction
from headgate.store.fragments import OVERWRITE, compact, insert_steps, insert_tasks
from headgate.store.records import RunKey, StepRow, TaskRow, rows_to_json, to_json
from headgate.store.tasks import TaskKey

_OF_RUN = "workspace_id = %(workspace_id)s AND execution_id = %(run_id)s"
_THE_RUN = "workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND id = %(run_id)s"


@dataclass(frozen=True)
class TaskOfRun:
    """An open attempt of a run."""

    node: str
    attempt: int
    kind: str
    begun: bool
    """Whether its Job is known to exist, or a runner has it."""


_PRIORITIZE = f"""
    WITH run AS (
        UPDATE headgate.workflow_executions SET priority = %(priority)s
        WHERE {_THE_RUN} AND status IN ('Pending', 'Running', 'Suspended') AND priority <> %(priority)s
        RETURNING 1
    ), queued AS (
        UPDATE headgate.tasks SET priority = %(priority)s WHERE {_OF_RUN} AND EXISTS (SELECT FROM run)
    )
    SELECT EXISTS (SELECT FROM run)
"""  # noqa: S608 - constants


async def prioritize(tx: Transaction, key: RunKey, priority: int) -> bool:
    """Give a run that has not ended, and what is queued of it, another priority. Whether it had another one.

    Hold the run's lock.
    """
    return bool(await tx.value(_PRIORITIZE, key.parameters() | {"priority": priority}))


_TASKS = f"""
    SELECT node, attempt, kind, job_uid IS NOT NULL OR (kind = 'runner' AND holder IS NOT NULL) AS begun
    FROM headgate.tasks WHERE {_OF_RUN}
"""  # noqa: S608 - constants


async def tasks_of(tx: Transaction, key: RunKey) -> list[TaskOfRun]:
    """The open attempts of a run."""
    rows = await tx.rows(_TASKS, key.parameters())
    return [TaskOfRun(row.node, row.attempt, row.kind, row.begun) for row in rows]


_KEPT = "JOIN kept ON kept.fits"
_STEER = compact(f"""
    WITH kept AS MATERIALIZED (
        SELECT headgate.keep_bytes(%(workspace_id)s, headgate.step_bytes(%(workspace_id)s, %(started_at)s, %(run_id)s,
            CAST(%(steps)s AS jsonb)) + headgate.json_bytes(CAST(%(outputs)s AS jsonb))) AS fits
    ), steps AS ({insert_steps(_KEPT + OVERWRITE)}), queue AS ({insert_tasks(_KEPT)}), gone AS (
        DELETE FROM headgate.tasks t USING jsonb_to_recordset(CAST(%(gone)s AS jsonb)) AS g (node text, attempt integer)
        WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = %(run_id)s AND t.node = g.node
            AND t.attempt = g.attempt AND (SELECT fits FROM kept)
        RETURNING t.node, t.attempt, t.holder
    ), stopping AS (
        UPDATE headgate.tasks t SET stopping = true, due_at = CASE t.kind WHEN 'call' THEN 'epoch' ELSE t.due_at END
        FROM jsonb_to_recordset(CAST(%(stopping)s AS jsonb)) AS s (node text, attempt integer)
        WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = %(run_id)s AND t.node = s.node
            AND t.attempt = s.attempt AND (SELECT fits FROM kept)
    ), run AS (
        UPDATE headgate.workflow_executions
        SET status = 'Running', held = NULL, cancelling = %(cancelling)s, overdue = %(overdue)s,
            deadline = coalesce(CAST(%(deadline)s AS timestamptz), deadline), error_message = %(error_message)s
        WHERE {_THE_RUN} AND (SELECT fits FROM kept)
    )
    SELECT k.fits, g.node, g.attempt FROM kept k LEFT JOIN gone g ON g.holder IS NOT NULL ORDER BY g.node
""")  # noqa: S608 - constants


async def go_on(
    tx: Transaction,
    key: RunKey,
    *,
    namespace: str,
    workflow: str,
    steps: Iterable[StepRow] = (),
    tasks: Iterable[TaskRow] = (),
    gone: Iterable[tuple[str, int]] = (),
    stopping: Iterable[tuple[str, int]] = (),
    ends_as: RunPhase | None = None,
    deadline: datetime | None = None,
    error_message: str | None = None,
    outputs: Mapping[str, Any] | None = None,
) -> list[tuple[str, int]] | None:
    """Let a run go on as Running: write ``steps``, queue ``tasks``, take those of ``gone`` off the queue.

    Returns the attempts out of ``gone`` for which there may be a Job. Those of ``stopping`` stay open until they end;
    calls among them are due at once, so that the runs that they called are asked to end. Hold the run's lock.

    With ``ends_as`` only final nodes start from now on, the run comes to that, and is ended whatever they are at when
    ``deadline`` has passed, which stays as it was where none is given.

    ``outputs`` are counted, for ``recording.finish`` to write. None where these and those of ``steps`` do not fit into
    what the workspace may keep: then nothing was written.
    """
    parameters = {
        "namespace": namespace,
        "workflow": workflow,
        "steps": rows_to_json(steps),
        "tasks": rows_to_json(tasks),
        "gone": _attempts(gone),
        "stopping": _attempts(stopping),
        "cancelling": ends_as is not None,
        "overdue": ends_as is RunPhase.FAILED,
        "deadline": deadline,
        "error_message": error_message,
        "outputs": to_json(outputs) if outputs is not None else None,
    }
    rows = await tx.rows(_STEER, key.parameters() | parameters)
    return [(row.node, row.attempt) for row in rows if row.node is not None] if rows[0].fits else None


def _attempts(attempts: Iterable[tuple[str, int]]) -> str:
    return to_json([{"node": node, "attempt": attempt} for node, attempt in attempts])


_COUNT = "SELECT headgate.count_use(%(workspace_id)s, %(today)s, %(running)s, %(queued)s, 0, %(bytes)s, NULL)"


async def count(
    tx: Transaction, workspace_id: UUID, now: datetime, *, running: int = 0, queued: int = 0, bytes_: int = 0
) -> None:
    """Add to what the workspace uses, whatever its limits are. Call it last: it takes the lock that comes last."""
    parameters = {
        "workspace_id": workspace_id,
        "today": now.date(),
        "running": running,
        "queued": queued,
        "bytes": bytes_,
    }
    await tx.execute(_COUNT, parameters)


# What nobody has begun may not be claimed while it lies without a time. A runner's task that was claimed keeps its
# lease, and an approval its end.
_SUSPEND = f"""
    WITH withheld AS (
        UPDATE headgate.tasks SET due_at = NULL
        WHERE {_OF_RUN} AND due_at IS NOT NULL AND job_uid IS NULL AND kind <> 'approval'
            AND (kind = 'job' OR holder IS NULL)
    )
    UPDATE headgate.workflow_executions
    SET status = 'Suspended', held = %(held)s, waiting_reason = NULL, waiting_until = NULL
    WHERE {_THE_RUN}
"""  # noqa: S608 - constants


async def suspend(tx: Transaction, key: RunKey, held: str) -> None:
    """Let nothing more of the run be claimed. Hold the run's lock."""
    await tx.execute(_SUSPEND, key.parameters() | {"held": held})


_NOTE = f"""
    WITH grown AS MATERIALIZED (
        SELECT headgate.json_bytes(CAST(%(options)s AS jsonb)) - headgate.json_bytes(options) AS bytes
        FROM headgate.workflow_executions WHERE {_THE_RUN}
    ), counted AS MATERIALIZED (
        SELECT headgate.count_use(%(workspace_id)s, %(today)s, 0, 0, 0, bytes, NULL) FROM grown WHERE bytes <> 0
    )
    UPDATE headgate.workflow_executions SET options = CAST(%(options)s AS jsonb)
    WHERE {_THE_RUN} AND (SELECT count(*) FROM counted) >= 0
"""  # noqa: S608 - constants


async def note(tx: Transaction, key: RunKey, options: Mapping[str, Any], now: datetime) -> None:
    """Keep what a Test or Debug run does otherwise, and where it stands: a few bytes, which count and always fit."""
    await tx.execute(_NOTE, key.parameters() | {"options": to_json(options), "today": now.date()})


async def hold(tx: Transaction, key: RunKey, breakpoint_: str, options: Mapping[str, Any], now: datetime) -> None:
    """Suspend a run at a breakpoint."""
    await suspend(tx, key, told(breakpoint_))
    await note(tx, key, options, now)


_RELEASE = f"""
    UPDATE headgate.tasks
    SET due_at = CASE waiting_reason WHEN 'Retry' THEN GREATEST(waiting_until, %(now)s) ELSE %(now)s END
    WHERE {_OF_RUN} AND due_at IS NULL AND job_uid IS NULL AND kind <> 'approval' AND (kind = 'job' OR holder IS NULL)
"""  # noqa: S608 - constants


async def release(tx: Transaction, key: RunKey, now: datetime) -> int:
    """Let what ``suspend`` withheld be claimed again, retries not before their time. Returns how much that is."""
    return await tx.execute(_RELEASE, key.parameters() | {"now": now})


_QUEUE = compact(f"""
    WITH kept AS MATERIALIZED (
        SELECT headgate.step_bytes(%(workspace_id)s, %(started_at)s, %(run_id)s, CAST(%(steps)s AS jsonb))
            - headgate.json_bytes(outputs) AS bytes
        FROM headgate.workflow_executions WHERE {_THE_RUN}
    ), steps AS ({insert_steps(OVERWRITE)})
    UPDATE headgate.workflow_executions
    SET status = 'Pending', waiting_reason = 'Queued', waiting_until = NULL, held = NULL, cancelling = false,
        overdue = false,
        running_since = NULL, deadline = NULL, finished_at = NULL, duration_ms = NULL, error_message = NULL,
        probe = NULL, outputs = NULL, retries = %(retries)s,
        callers = CASE retries WHEN %(retries)s THEN callers ELSE '{{}}' END
    WHERE {_THE_RUN}
    RETURNING (SELECT bytes FROM kept)
""")  # noqa: S608 - constants


async def queue(
    tx: Transaction, key: RunKey, now: datetime, *, retries: int, steps: Iterable[StepRow] = (), counted: bool = True
) -> None:
    """Let a run that is not under way wait for room, with ``steps`` over what is recorded. Hold the run's lock.

    With another number of ``retries`` than before, no run waits for its end any more. One that is started in the same
    transaction, or not at all, need not be ``counted`` among those that wait.
    """
    parameters = {"retries": retries, "steps": rows_to_json(steps)}
    kept = await tx.value(_QUEUE, key.parameters() | parameters)
    await count(tx, key.workspace_id, now, queued=1 if counted else 0, bytes_=kept or 0)


_APPROVALS = f"SELECT node, attempt, work, waiting_until FROM headgate.tasks WHERE {_OF_RUN} AND kind = 'approval'"  # noqa: S608 - constants


@dataclass(frozen=True)
class OpenApproval:
    """An approval that nobody has decided yet."""

    node: str
    attempt: int
    work: Mapping[str, Any]
    until: datetime | None


async def approvals(tx: Transaction, key: RunKey) -> list[OpenApproval]:
    """The run's open approvals."""
    rows = await tx.rows(_APPROVALS, key.parameters())
    return [OpenApproval(row.node, row.attempt, row.work, row.waiting_until) for row in rows]


_OVERDUE_APPROVALS = """
    SELECT workspace_id, execution_id, node, attempt FROM headgate.tasks
    WHERE kind = 'approval' AND due_at <= %(now)s ORDER BY due_at
"""


async def overdue_approvals(tx: Transaction, now: datetime) -> list[TaskKey]:
    """Approvals for which it is too late, in all workspaces. Takes a system transaction."""
    return [TaskKey(*row) for row in await tx.rows(_OVERDUE_APPROVALS, {"now": now})]
