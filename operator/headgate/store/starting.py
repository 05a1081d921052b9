"""Statements that start runs: new ones, and those that waited for room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from headgate.domain.apart import NORMAL, Apart
from headgate.store.database import Transaction
from headgate.store.fragments import OVERWRITE, UNCOUNTED, compact, insert_steps, insert_tasks, literals
from headgate.store.joint import Joint, NotTogether, in_turn
from headgate.store.records import RunKey, StepRow, TaskRow, rows_to_json, size, to_json
from headgate.store.starting_together import ADMIT_SEVERAL, PLAIN

NARROW = "StorageNarrow"
"""Reason of a run that might start, but of whose first outputs not all find room. Nothing was written of it."""

# ``headgate.room`` locks what the workspace uses and decides; what follows in the statement writes what was decided.
_ROOM = f"""
    room AS MATERIALIZED (
        SELECT r.*, asked.*, CASE WHEN r.reason IS NULL THEN 1 ELSE 0 END AS started,
            CASE WHEN r.reason NOT IN ({literals(UNCOUNTED)}) THEN 1 ELSE 0 END AS queued
        FROM asked, headgate.room(%(workspace_id)s, %(workflow_id)s, %(now)s, %(kept)s, %(given)s, %(own)s,
            %(overtake)s, asked.concurrency_limit, asked.mutex, asked.callers) r
    )
"""  # noqa: S608 - constants
_COUNTED = """
    counted AS MATERIALIZED (
        SELECT headgate.take_place(%(workspace_id)s, %(today)s, v.started * %(slots)s, v.queued - v.counted,
            v.started, v.started * (CAST(%(kept)s AS bigint) + %(given)s), v.probe, %(run_id)s, v.lender) AS done
        FROM verdict v
        WHERE v.started = 1 OR v.queued <> v.counted
    )
"""
# What only a run has that starts.
_BEGUN = """SELECT CAST(%(now)s AS timestamptz) AS at, CAST(%(deadline)s AS timestamptz) AS deadline,
    CAST(%(finished_at)s AS timestamptz) AS finished_at, CAST(%(duration_ms)s AS bigint) AS duration_ms,
    CAST(%(error_message)s AS text) AS error_message, CAST(%(outputs)s AS jsonb) AS outputs"""
_STARTED = "JOIN verdict v ON v.started = 1"
_ANSWER = "r.reason, r.refused, r.until, r.probe, r.mutex, (SELECT max(done) FROM counted)"


_OF_OTHERS = "mutex, parent_run, parent_node, parent_attempt, concurrency_limit, callers"
"""What a run has that waits for others."""


def _admission(room: str, counted: str) -> str:
    return compact(f"""
    WITH asked AS (
        SELECT 0 AS counted, CAST(%(concurrency_limit)s AS integer) AS concurrency_limit,
            CAST(%(mutex)s AS text) AS mutex, CAST(%(callers)s AS uuid[]) AS callers
    ), {room}, reserved AS (
        INSERT INTO headgate.execution_triggers (workspace_id, trigger_key, execution_id, created_at)
        SELECT %(workspace_id)s, %(trigger_key)s, %(run_id)s, %(started_at)s FROM room WHERE NOT refused
        ON CONFLICT (workspace_id, trigger_key) DO NOTHING
        RETURNING execution_id
    ), verdict AS MATERIALIZED (SELECT room.* FROM room, reserved), {counted}, run AS (
        INSERT INTO headgate.workflow_executions ({PLAIN}, {_OF_OTHERS})
        SELECT %(workspace_id)s, %(run_id)s, %(started_at)s, %(workflow_id)s, %(version_id)s,
            CASE started WHEN 1 THEN %(status)s ELSE 'Pending' END, %(trigger_kind)s, %(trigger_key)s,
            %(trigger_node)s, %(resource)s, CAST(%(inputs)s AS jsonb), reason, until,
            b.*, probe, %(mode)s, %(priority)s, %(depth)s, CAST(%(event)s AS jsonb), CAST(%(options)s AS jsonb),
            CAST(%(replay_of)s AS uuid), %(labels)s, mutex, CAST(%(parent_run)s AS uuid), CAST(%(parent_node)s AS text),
            CAST(%(parent_attempt)s AS integer), concurrency_limit, callers
        FROM verdict LEFT JOIN ({_BEGUN}) b ON started = 1
    ), steps AS ({insert_steps(_STARTED, begun=True)}),
    queue AS ({insert_tasks(_STARTED, "%(priority)s", leased=True)})
    SELECT {_ANSWER}, EXISTS (SELECT FROM reserved) AS kept FROM room r
""")  # noqa: S608 - constants


_ADMIT = _admission(_ROOM, _COUNTED)
_ADMISSION, _WAITING = Joint(10, _ADMIT, ADMIT_SEVERAL), in_turn(11, _ADMIT)
# Test and Debug runs take no place, and count for no day.
_ROOM_APART = """
    room AS MATERIALIZED (
        SELECT r.*, asked.*, CASE WHEN r.reason IS NULL THEN 1 ELSE 0 END AS started, 0 AS queued
        FROM asked, headgate.room_apart(%(workspace_id)s, %(workflow_id)s,
            CAST(%(kept)s AS bigint) + %(given)s) r
    )
"""
_COUNTED_APART = """
    counted AS MATERIALIZED (
        SELECT headgate.count_use(%(workspace_id)s, %(today)s, 0, 0, 0,
            CAST(%(kept)s AS bigint) + %(given)s, NULL) AS done
        FROM verdict v WHERE v.started = 1
    )
"""
_ADMIT_APART = _admission(_ROOM_APART, _COUNTED_APART)
_APART = in_turn(12, _ADMIT_APART)


def _start(room: str, counted: str) -> str:
    return compact(f"""
    WITH asked AS (
        SELECT CASE WHEN waiting_reason IN ({literals(UNCOUNTED)}) THEN 0 ELSE 1 END AS counted,
            concurrency_limit, mutex, callers
        FROM headgate.workflow_executions
        WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND id = %(run_id)s AND status = 'Pending'
    ), {room}, verdict AS (SELECT * FROM room WHERE NOT coalesce(reason = '{NARROW}', false)), {counted}, run AS (
        UPDATE headgate.workflow_executions e
        SET status = CASE started WHEN 1 THEN %(status)s ELSE 'Pending' END,
            waiting_reason = v.reason,
            waiting_until = v.until,
            running_since = b.at,
            deadline = b.deadline,
            finished_at = b.finished_at,
            duration_ms = b.duration_ms,
            error_message = b.error_message,
            outputs = b.outputs,
            probe = v.probe
        FROM verdict v LEFT JOIN ({_BEGUN}) b ON started = 1
        WHERE e.workspace_id = %(workspace_id)s AND e.started_at = %(started_at)s AND e.id = %(run_id)s
            AND (e.waiting_reason, e.waiting_until) IS DISTINCT FROM (v.reason, v.until)
    ), steps AS ({insert_steps(_STARTED + OVERWRITE)}), queue AS ({insert_tasks(_STARTED)})
    SELECT {_ANSWER} FROM room r
""")  # noqa: S608 - constants


_START = _start(_ROOM, _COUNTED)
_START_APART = _start(_ROOM_APART, _COUNTED_APART)


@dataclass(frozen=True)
class NewRun:
    """A run as it is when its first nodes have been decided on; recorded as Pending where there is no room for it."""

    key: RunKey
    workflow_id: UUID
    namespace: str
    workflow: str
    now: datetime
    today: date
    status: str
    """Running, or how it ended where nothing of it has to wait."""
    deadline: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    error_message: str | None
    steps: tuple[StepRow, ...]
    tasks: tuple[TaskRow, ...]
    outputs: Mapping[str, Any] | None
    """What it gives, where it has succeeded already."""
    apart: Apart = NORMAL
    """How it differs from a Normal run."""
    held: str | None = None
    """The breakpoint that it has come to."""

    def parameters(self) -> dict[str, Any]:
        """As parameters of the statements that admit and start."""
        return self.key.parameters() | {
            "workflow_id": self.workflow_id,
            "namespace": self.namespace,
            "workflow": self.workflow,
            "now": self.now,
            "today": self.today,
            "status": self.status,
            "given": sum(size(step.output) for step in self.steps) + size(self.outputs),
            "slots": 1 if self.finished_at is None else 0,
            "deadline": self.deadline,
            "finished_at": self.finished_at,
            "duration_ms": self.duration_ms,
            "error_message": self.error_message,
            "outputs": to_json(self.outputs) if self.outputs is not None else None,
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
    mode: str = "Normal"
    priority: int = 0
    mutex: str | None = None
    """No other run of the workspace with the same one is under way while it is."""
    concurrency_limit: int | None = None
    """How many runs of its workflow may be under way, it being one of them."""
    depth: int = 0
    """How many runs called, or set off, each other up to this one."""
    parent: tuple[UUID, str, int] | None = None
    """Run, node and attempt that called it."""
    callers: tuple[UUID, ...] = ()
    """The runs that wait for its end, the one that called it last."""
    event: Mapping[str, Any] | None = None
    """The end of another run that set it off."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What a Test or Debug run does otherwise."""
    replay_of: UUID | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """By which it can be found."""

    @property
    def bytes(self) -> int:
        """What it takes of the workspace's storage from when it starts, or ends without having started."""
        return size(dict(self.inputs)) + size(self.event) + size(dict(self.options))

    @property
    def waits_for_runs(self) -> bool:
        """Whether it depends on certain other runs when it may start, and not on room alone."""
        return bool(self.callers) or (self.mutex, self.concurrency_limit, self.parent) != (None, None, None)


@dataclass(frozen=True)
class Verdict:
    """Whether a run started."""

    reason: str | None
    """What it waits for, or why it was refused; None where it started."""
    refused: bool = False
    """Whether it was refused: nothing was written."""
    until: datetime | None = None
    """When it may start, where that is known."""
    probe: int | None = None
    """The episode of the half-open circuit breaker in which it is tried."""
    mutex: str | None = None
    """The run's mutex, which it holds from now on if it started."""


async def admit(tx: Transaction, run: NewRun, origin: Origin) -> Verdict | None:
    """Record a run, started where there is room, unless it is refused. None when its key had been used.

    With ``NARROW`` nothing was written, and nobody else takes room until the transaction ends: leave out what does not
    fit, and ask again. What it was given counts from when it starts.
    """
    parameters = run.parameters() | {
        "version_id": origin.version_id,
        "trigger_kind": origin.kind,
        "trigger_key": origin.key,
        "trigger_node": origin.node,
        "resource": origin.resource,
        "inputs": to_json(origin.inputs),
        "mode": origin.mode,
        "priority": origin.priority,
        "mutex": origin.mutex,
        "concurrency_limit": origin.concurrency_limit,
        "depth": origin.depth,
        **dict(zip(("parent_run", "parent_node", "parent_attempt"), origin.parent or (None, None, None), strict=True)),
        "callers": list(origin.callers),
        "event": to_json(origin.event) if origin.event is not None else None,
        "options": to_json(origin.options),
        "replay_of": origin.replay_of,
        "labels": to_json(origin.labels),
        "overtake": False,
        "kept": origin.bytes,
        "own": 0,
    }
    statement = _WAITING if origin.waits_for_runs else _ADMISSION
    [row] = await tx.joint(statement if run.apart.is_normal else _APART, parameters)
    if tx.is_shared and (row.reason == NARROW or not (row.kept or row.refused)):
        raise NotTogether("the key was used meanwhile, or room for outputs is narrow, which others take too")
    return Verdict(row.reason, row.refused, row.until, row.probe, row.mutex) if row.kept or row.refused else None


async def start(tx: Transaction, run: NewRun, *, kept: int, own: int) -> Verdict | None:
    """Start a Pending run if there is room now. None when it is not Pending any more. ``NARROW`` is as with ``admit``.

    What it was given takes ``kept`` bytes from now on, or ``own`` that were counted before, which do not hold it up.
    """
    statement = _START if run.apart.is_normal else _START_APART
    row = await tx.row(statement, run.parameters() | {"overtake": True, "kept": kept, "own": own})
    return None if row is None else Verdict(row.reason, until=row.until, probe=row.probe, mutex=row.mutex)
