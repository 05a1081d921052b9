"""The statement that ends a run before its time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from headgate.store.database import Transaction
from headgate.store.fragments import OVERWRITE, insert_steps
from headgate.store.records import StepRow, rows_to_json
from headgate.store.runs import LoadedRun

# What is written over took room, such as the items of a list, and what is written takes none. What a run was given that
# never started is kept from now on, however much there is.
_END = f"""
    WITH freed AS MATERIALIZED (
        SELECT headgate.step_bytes(%(workspace_id)s, %(started_at)s, %(run_id)s, CAST(%(steps)s AS jsonb)) AS bytes,
            CASE WHEN %(had_started)s THEN 0 ELSE headgate.json_bytes(inputs) + headgate.json_bytes(event)
                + headgate.json_bytes(options) END AS given
        FROM headgate.workflow_executions
        WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND id = %(run_id)s
    ), steps AS ({insert_steps(OVERWRITE)}), gone AS (
        DELETE FROM headgate.tasks WHERE workspace_id = %(workspace_id)s AND execution_id = %(run_id)s
        RETURNING node, attempt, holder
    ), used AS MATERIALIZED (
        SELECT CASE WHEN bytes <> 0 THEN headgate.keep_bytes(%(workspace_id)s, bytes) END,
            CASE WHEN %(was_running)s THEN headgate.leave_place(%(workspace_id)s, %(run_id)s, %(today)s)
            WHEN %(was_queued)s OR given > 0 THEN headgate.count_use(%(workspace_id)s, %(today)s, 0,
                CASE WHEN %(was_queued)s THEN -1 ELSE 0 END, 0, given, NULL) END
        FROM freed WHERE %(was_running)s OR %(was_queued)s OR bytes <> 0 OR given > 0
    ), ended AS (
        UPDATE headgate.workflow_executions
        SET status = %(status)s, finished_at = %(finished_at)s, duration_ms = %(duration_ms)s,
            error_message = %(error_message)s,
            waiting_reason = NULL, waiting_until = NULL, held = NULL
        WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND id = %(run_id)s
    )
    SELECT node, attempt FROM gone WHERE holder IS NOT NULL AND (SELECT count(*) FROM used) >= 0 ORDER BY node
"""  # noqa: S608 - constants


async def end(
    tx: Transaction,
    run: LoadedRun,
    *,
    status: str,
    finished_at: datetime,
    duration_ms: int,
    error_message: str,
    steps: Iterable[StepRow],
) -> list[tuple[str, int]]:
    """End a run that has not ended, before its time. Returns the attempts for which there may be a Job.

    Hold the run's lock since before it was loaded.
    """
    parameters = {
        "today": finished_at.date(),
        "was_running": run.takes_place,
        "was_queued": run.is_queued,
        "had_started": run.has_started,
        "status": status,
        "finished_at": finished_at,
        "duration_ms": duration_ms,
        "error_message": error_message,
        "steps": rows_to_json(steps),
    }
    rows = await tx.rows(_END, run.key.parameters() | parameters)
    return [(row.node, row.attempt) for row in rows]
