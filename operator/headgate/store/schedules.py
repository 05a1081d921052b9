"""Statements about schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.records import to_json

# What stays as it is keeps its next tick, so the same schedule is not written.
_REPLACE = """
    WITH wanted AS (
        SELECT * FROM jsonb_to_recordset(CAST(%(schedules)s AS jsonb))
            AS s (node text, schedule jsonb, next_tick timestamptz)
    ), removed AS (
        DELETE FROM headgate.workflow_schedules s
        WHERE s.workspace_id = %(workspace_id)s AND s.workflow_id = %(workflow_id)s
            AND NOT EXISTS (SELECT FROM wanted w WHERE w.node = s.node)
    )
    INSERT INTO headgate.workflow_schedules AS s (workspace_id, workflow_id, node, schedule, next_tick)
    SELECT %(workspace_id)s, %(workflow_id)s, w.node, w.schedule, w.next_tick FROM wanted w
    ON CONFLICT (workspace_id, workflow_id, node) DO UPDATE
    SET schedule = excluded.schedule, next_tick = excluded.next_tick, last_error = NULL
    WHERE s.schedule <> excluded.schedule
"""


async def replace(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, schedules: Mapping[str, tuple[Mapping[str, Any], datetime]]
) -> None:
    """Make these the schedules of a workflow: by node, each with its first tick in case that it is new or changed."""
    rows = [{"node": node, "schedule": schedule, "next_tick": first} for node, (schedule, first) in schedules.items()]
    await tx.execute(_REPLACE, {"workspace_id": workspace_id, "workflow_id": workflow_id, "schedules": to_json(rows)})


@dataclass(frozen=True)
class ScheduleKey:
    """Where a schedule lies: a trigger node of a workflow."""

    workspace_id: UUID
    workflow_id: UUID
    node: str

    def parameters(self) -> dict[str, Any]:
        """As parameters ``workspace_id``, ``workflow_id`` and ``node``."""
        return {"workspace_id": self.workspace_id, "workflow_id": self.workflow_id, "node": self.node}


# What is suspended is left out, and not advanced either: once it goes on, its schedule says what becomes of the ticks
# that passed, as after any other outage.
_ACTIVE = """
    FROM headgate.workflow_schedules s
    JOIN headgate.workflows w ON w.workspace_id = s.workspace_id AND w.id = s.workflow_id AND NOT w.suspended
    JOIN headgate.workspaces t ON t.id = s.workspace_id AND NOT t.suspended
"""
_DUE = f"SELECT s.workspace_id, s.workflow_id, s.node {_ACTIVE} WHERE s.next_tick <= %(now)s ORDER BY s.next_tick"
_NEXT = f"SELECT min(s.next_tick) {_ACTIVE} WHERE s.next_tick > %(now)s"


async def due(tx: Transaction, now: datetime) -> tuple[list[ScheduleKey], datetime | None]:
    """The schedules of all workspaces that tick now, and when the next one does. Takes a system transaction."""
    keys = [ScheduleKey(*row) for row in await tx.rows(_DUE, {"now": now})]
    return keys, await tx.value(_NEXT, {"now": now})


@dataclass(frozen=True)
class TakenSchedule:
    """A schedule that is due and that this transaction holds."""

    schedule: Mapping[str, Any]
    next_tick: datetime
    last_tick: datetime | None
    namespace: str
    workflow: str


_TAKE = f"""
    SELECT s.schedule, s.next_tick, s.last_tick, w.namespace, w.name {_ACTIVE}
    WHERE s.workspace_id = %(workspace_id)s AND s.workflow_id = %(workflow_id)s AND s.node = %(node)s
        AND s.next_tick <= %(now)s
    FOR UPDATE OF s SKIP LOCKED
"""


async def take(tx: Transaction, key: ScheduleKey, now: datetime) -> TakenSchedule | None:
    """Hold a schedule that is due; None when it is not any more, or another transaction holds it."""
    row = await tx.row(_TAKE, key.parameters() | {"now": now})
    return None if row is None else TakenSchedule(row.schedule, row.next_tick, row.last_tick, row.namespace, row.name)


_OPEN = """
    SELECT id FROM headgate.workflow_executions
    WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s
        AND status IN ('Pending', 'Running', 'Suspended') AND trigger_kind = 'schedule' AND trigger_node = %(node)s
    ORDER BY started_at, id
"""


async def open_runs(tx: Transaction, key: ScheduleKey) -> list[UUID]:
    """The runs of a schedule that have not ended, the oldest first. Hold the schedule."""
    return [row.id for row in await tx.rows(_OPEN, key.parameters())]


_ADVANCE = """
    UPDATE headgate.workflow_schedules SET next_tick = %(next_tick)s, last_tick = %(last_tick)s,
        last_error = %(last_error)s
    WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s AND node = %(node)s
"""


async def advance(
    tx: Transaction, key: ScheduleKey, *, next_tick: datetime, last_tick: datetime | None, last_error: str | None
) -> None:
    """Move a schedule on."""
    parameters = {"next_tick": next_tick, "last_tick": last_tick, "last_error": last_error}
    await tx.execute(_ADVANCE, key.parameters() | parameters)


@dataclass(frozen=True)
class Ticks:
    """The schedules and event triggers of a workflow, taken together."""

    last_tick: datetime | None
    next_tick: datetime | None
    errors: Mapping[str, str]
    """By node."""


_TICKS = """
    WITH workflow AS (
        SELECT id FROM headgate.workflows
        WHERE workspace_id = %(workspace_id)s AND namespace = %(namespace)s AND name = %(name)s AND deleted_at IS NULL
    ), ticking AS (
        SELECT s.* FROM headgate.workflow_schedules s JOIN workflow w ON s.workflow_id = w.id
        WHERE s.workspace_id = %(workspace_id)s
    ), failed AS (
        SELECT node, last_error FROM ticking WHERE last_error IS NOT NULL
        UNION ALL
        SELECT e.node, e.last_error FROM headgate.workflow_events e JOIN workflow w ON e.workflow_id = w.id
        WHERE e.workspace_id = %(workspace_id)s AND e.last_error IS NOT NULL
    )
    SELECT max(last_tick) AS last_tick, min(next_tick) AS next_tick,
        (SELECT jsonb_object_agg(node, last_error) FROM failed) AS errors
    FROM ticking
"""


async def ticks(tx: Transaction, workspace_id: UUID, namespace: str, name: str) -> Ticks:
    """When the workflow's schedules ticked last and tick next, and what went wrong."""
    row = await tx.one(_TICKS, {"workspace_id": workspace_id, "namespace": namespace, "name": name})
    return Ticks(row.last_tick, row.next_tick, row.errors or {})
