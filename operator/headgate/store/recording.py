"""Statements that record what happened in runs, up to their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headgate.store.beginning import HELD
from headgate.store.database import Transaction
from headgate.store.fragments import ONE, OVERWRITE, PRICED, SEVERAL, Source, compact, insert_steps, insert_tasks
from headgate.store.joint import BETWEEN, Joint, NotTogether, columns, of_runs
from headgate.store.records import RunKey, StepRow, TaskRow, rows_to_json, to_json
from headgate.store.runner_tasks import DUE, OF_ANY

_KEPT = "JOIN kept ON kept.fits"
# As ``headgate.step_bytes`` has it, which is a statement of its own within the statement.
_MORE = """CAST(coalesce((
        SELECT sum(headgate.json_bytes(s.output) - coalesce((
            SELECT headgate.json_bytes(o.output) FROM headgate.workflow_execution_steps o
            WHERE o.workspace_id = %(workspace_id)s AND o.started_at = %(started_at)s AND o.execution_id = %(run_id)s
                AND o.node = s.node AND o.attempt = s.attempt
        ), 0))
        FROM jsonb_to_recordset(CAST(%(steps)s AS jsonb)) AS s (node text, attempt integer, output jsonb)
    ), 0) + headgate.json_bytes(CAST(%(outputs)s AS jsonb)) AS bigint)"""


def _fits(source: Source) -> str:
    """Whether all that is to be kept of an end fits; of several, all of all of them, or nothing of any.

    Of several it fits whatever the order is: what some of them give back is no room for others of them.
    """
    if source is ONE:
        return f"kept AS MATERIALIZED (SELECT headgate.keep_bytes(%(workspace_id)s, {_MORE}) AS fits)"
    more = f"""headgate.step_bytes(%(workspace_id)s, {source["started_at"]}, {source["run_id"]},
            CAST({source["steps"]} AS jsonb)) + headgate.json_bytes(CAST({source["outputs"]} AS jsonb))"""
    taken, freed = (
        f"CAST((SELECT coalesce(sum(bytes), 0) FROM more WHERE bytes {sign} 0) AS bigint)"  # noqa: S608 - constants
        for sign in (">", "<")
    )
    return f"""more AS MATERIALIZED (SELECT {more} AS bytes FROM asked a), kept AS MATERIALIZED (
        SELECT CASE WHEN headgate.keep_bytes(%(workspace_id)s, {taken})
            THEN headgate.keep_bytes(%(workspace_id)s, {freed}) ELSE false END AS fits
    )"""  # noqa: S608 - constants


def _done(source: Source) -> str:
    using = "USING asked a" if source is SEVERAL else ""
    return f"""
    done AS (
        DELETE FROM headgate.tasks t {using}
        WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = {source["run_id"]}
            AND t.node = {source["done_node"]} AND t.attempt = {source["done_attempt"]} AND (SELECT fits FROM kept)
    )
"""  # noqa: S608 - constants


def _steps(source: Source) -> str:
    return insert_steps(_KEPT + OVERWRITE + PRICED, priced=True, source=source)


_RUN = {
    "run_id": "uuid",
    "started_at": "timestamptz",
    "done_node": "text",
    "done_attempt": "integer",
    "steps": "text",
    "outputs": "text",
}
_RECORD_ONE = f"""
    WITH {_fits(ONE)}, steps AS ({_steps(ONE)}), {_done(ONE)}, queue AS ({insert_tasks(_KEPT, leased=True)})
    SELECT fits FROM kept
"""  # noqa: S608 - constants
# The run as ``load`` would have it, had it been read; its lock was asked for before, so that this sees what it guards.
_AS_EXPECTED = f"""
    sound AS MATERIALIZED (
        SELECT e.priority FROM headgate.workflow_executions e JOIN headgate.tasks t ON t.workspace_id = e.workspace_id
            AND t.execution_id = e.id AND t.node = %(done_node)s AND t.attempt = %(done_attempt)s
        WHERE {HELD} AND e.workspace_id = %(workspace_id)s AND e.started_at = %(started_at)s AND e.id = %(run_id)s
            AND e.status = 'Running' AND NOT e.cancelling AND t.holder = %(holder)s
            AND NOT EXISTS (SELECT FROM headgate.tasks WHERE {DUE} {OF_ANY})
    )
"""  # noqa: S608 - constants
# Nothing that has an output is written over: the attempt has none yet, and what follows has not begun.
_ALL_NEW = """
    kept AS MATERIALIZED (
        SELECT headgate.keep_bytes(%(workspace_id)s, CAST(coalesce((SELECT sum(headgate.json_bytes(output))
            FROM jsonb_to_recordset(CAST(%(steps)s AS jsonb)) AS s (output jsonb)), 0) AS bigint)) AS fits FROM sound
    )
"""
_RECORD_AT_ONCE = compact(f"""
    WITH {_AS_EXPECTED}, {_ALL_NEW}, steps AS ({_steps(ONE)}), {_done(ONE)},
    queue AS ({insert_tasks(_KEPT, "(SELECT priority FROM sound)", leased=True)})
    SELECT fits FROM kept WHERE fits
""")  # noqa: S608 - constants
_RECORD_SEVERAL = compact(f"""
    WITH {columns(**_RUN, namespace="text", workflow="text", tasks="text")}, {_fits(SEVERAL)},
    steps AS ({_steps(SEVERAL)}), {_done(SEVERAL)}, queue AS ({insert_tasks(_KEPT, leased=True, source=SEVERAL)})
    SELECT a.number, k.fits FROM asked a, kept k
""")  # noqa: S608 - constants


# Whether ``keep_ending`` may have kept the end for somebody. Never less than that: whether one that did not succeed has
# called others, or was a test, is not looked up.
_AWAITED = """
    e.status <> 'Succeeded' OR e.parent_run IS NOT NULL OR EXISTS (
        SELECT FROM headgate.workflows w JOIN headgate.workflow_events v USING (workspace_id, namespace)
        WHERE workspace_id = %(workspace_id)s AND w.id = e.workflow_id AND source = name AND e.status = ANY (phases)
    )
"""


def _finish(source: Source = ONE, unless: str = "") -> str:
    of = "FROM asked a" if source is SEVERAL else ""
    within = f"AND e.started_at {BETWEEN}" if source is SEVERAL else ""
    # Columns have their types.
    takes_place, today = (
        ("a.takes_place", "a.today")
        if source is SEVERAL
        else ("CAST(%(takes_place)s AS boolean) AS takes_place", "CAST(%(today)s AS date) AS today")
    )
    return f"""
    finished AS (
        UPDATE headgate.workflow_executions e
        SET status = {source["status"]}, finished_at = {source["finished_at"]}, duration_ms = {source["duration_ms"]},
            error_message = {source["error_message"]}, outputs = CAST({source["outputs"]} AS jsonb),
            waiting_reason = NULL, waiting_until = NULL, held = NULL
        {of}
        WHERE e.workspace_id = %(workspace_id)s AND e.started_at = {source["started_at"]} {within}
            AND e.id = {source["run_id"]} AND e.status = 'Running' {unless}
        RETURNING e.id, {takes_place}, {today}, ({_AWAITED}) AS awaited
    ), room AS MATERIALIZED (
        SELECT f.id, f.awaited, CASE WHEN f.takes_place THEN headgate.leave_place(%(workspace_id)s, f.id, f.today)
            ELSE 0 END AS queued, (
            SELECT pot FROM headgate.workspace_resource_quotas WHERE workspace_id = %(workspace_id)s
        ) AS pot
        FROM finished f
    )
"""  # noqa: S608 - constants


_FINISH = f"WITH {_finish()} SELECT queued, pot, awaited FROM room"  # noqa: S608 - constants
# The steps are written before the run is: who follows it reads of their ends first.
_LAST = "AND (SELECT count(*) FROM steps) > 0"
_RECORD_LAST_ONE = compact(f"""
    WITH {_fits(ONE)}, steps AS ({_steps(ONE)} RETURNING 1), {_done(ONE)}, {_finish(ONE, _LAST)}
    SELECT k.fits, r.queued, r.pot, r.awaited FROM kept k LEFT JOIN room r ON true
""")  # noqa: S608 - constants
_ENDING = {
    "today": "date",
    "status": "text",
    "finished_at": "timestamptz",
    "duration_ms": "bigint",
    "error_message": "text",
    "takes_place": "boolean",
}
_RECORD_LAST_SEVERAL = compact(f"""
    WITH {columns(**_RUN, **_ENDING)}, {_fits(SEVERAL)}, steps AS ({_steps(SEVERAL)} RETURNING 1), {_done(SEVERAL)},
    {_finish(SEVERAL, _LAST)}
    SELECT a.number, k.fits, r.queued, r.pot, r.awaited
    FROM asked a CROSS JOIN kept k LEFT JOIN room r ON r.id = a.run_id
""")  # noqa: S608 - constants


_RECORD = Joint(10, _RECORD_ONE, _RECORD_SEVERAL, of_runs, at_once=_RECORD_AT_ONCE)
_RECORD_LAST = Joint(11, _RECORD_LAST_ONE, _RECORD_LAST_SEVERAL, of_runs)


@dataclass(frozen=True)
class Ending:
    """How a run ends by itself."""

    status: str
    finished_at: datetime
    duration_ms: int
    error_message: str | None
    outputs: Mapping[str, Any] | None
    takes_place: bool
    """Whether it counts among those that the quota bounds, and gives back its place."""

    def parameters(self) -> dict[str, Any]:
        """As parameters of the statements that end it."""
        return {
            "today": self.finished_at.date(),
            "status": self.status,
            "finished_at": self.finished_at,
            "duration_ms": self.duration_ms,
            "error_message": self.error_message,
            "outputs": to_json(self.outputs) if self.outputs is not None else None,
            "takes_place": self.takes_place,
        }


@dataclass(frozen=True)
class Room:
    """Who may start, or go on, now that a run has ended."""

    waiting: bool = False
    """Whether runs of its workspace wait for room."""
    pot: str | None = None
    """The pot that other workspaces share with it."""
    awaited: bool = False
    """Whether its end may be one on which somebody acts: a node that called it, or a trigger of another workflow."""


async def record(
    tx: Transaction,
    key: RunKey,
    *,
    namespace: str,
    workflow: str,
    done: tuple[str, int],
    steps: tuple[StepRow, ...],
    tasks: tuple[TaskRow, ...],
    ending: Ending | None = None,
) -> Room | None:
    """Take the attempt ``done`` off the queue, write ``steps`` (over those that are there) and queue ``tasks``.

    With ``ending`` the run ends, and ``tasks`` have to be none. None where the outputs of ``steps``, and what the run
    gives, do not fit into what the workspace may keep: then nothing was written. Where the transaction is shared,
    ``NotTogether`` is raised then.
    """
    parameters = key.parameters() | {
        "done_node": done[0],
        "done_attempt": done[1],
        "steps": rows_to_json(steps),
    }
    if ending is not None:
        [row] = await tx.joint(_RECORD_LAST, parameters | ending.parameters())
        room = _room(row)
    else:
        queued = {"namespace": namespace, "workflow": workflow, "tasks": rows_to_json(tasks), "outputs": None}
        [row] = await tx.joint(_RECORD, parameters | queued)
        room = Room()
    if not row.fits and tx.is_shared:
        raise NotTogether("outputs do not fit: whose, is told where each is recorded by itself")
    return room if row.fits else None


async def finish(tx: Transaction, key: RunKey, ending: Ending) -> Room:
    """End a Running run, of which there is nothing else to record. What it gives has been counted already."""
    row = await tx.row(_FINISH, key.parameters() | ending.parameters())
    return Room() if row is None else _room(row)


def _room(row: Any) -> Room:
    return Room((row.queued or 0) > 0, row.pot, bool(row.awaited))
