"""Statements about schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert as upsert

from headgate.store.database import Transaction
from headgate.store.tables import schedules


async def replace(
    tx: Transaction,
    workspace_id: UUID,
    workflow_id: UUID,
    *,
    keep: set[str],
    changed: Mapping[str, tuple[Mapping[str, Any], datetime]],
) -> None:
    """Leave the schedules of ``keep`` alone, write ``changed`` (schedule and next tick by node), remove the rest."""
    await tx.execute(
        delete(schedules).where(
            schedules.c.workspace_id == workspace_id,
            schedules.c.workflow_id == workflow_id,
            schedules.c.node.not_in(keep | set(changed)),
        )
    )
    if changed:
        added = upsert(schedules)
        await tx.execute(
            added.on_conflict_do_update(
                index_elements=[schedules.c.workspace_id, schedules.c.workflow_id, schedules.c.node],
                set_={"schedule": added.excluded.schedule, "next_tick": added.excluded.next_tick, "last_error": None},
            ),
            [
                {
                    "workspace_id": workspace_id,
                    "workflow_id": workflow_id,
                    "node": node,
                    "schedule": schedule,
                    "next_tick": next_tick,
                }
                for node, (schedule, next_tick) in changed.items()
            ],
        )


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
_DUE = text(f"SELECT s.workspace_id, s.workflow_id, s.node {_ACTIVE} WHERE s.next_tick <= :now ORDER BY s.next_tick")
_NEXT = text(f"SELECT min(s.next_tick) {_ACTIVE} WHERE s.next_tick > :now")


async def due(tx: Transaction, now: datetime) -> tuple[list[ScheduleKey], datetime | None]:
    """The schedules of all workspaces that tick now, and when the next one does. Takes a system transaction."""
    keys = [ScheduleKey(*row) for row in await tx.execute(_DUE, {"now": now})]
    return keys, await tx.scalar(_NEXT, {"now": now})


@dataclass(frozen=True)
class TakenSchedule:
    """A schedule that is due and that this transaction holds."""

    schedule: Mapping[str, Any]
    next_tick: datetime
    last_tick: datetime | None
    namespace: str
    workflow: str


_TAKE = text(f"""
    SELECT s.schedule, s.next_tick, s.last_tick, w.namespace, w.name {_ACTIVE}
    WHERE s.workspace_id = :workspace_id AND s.workflow_id = :workflow_id AND s.node = :node AND s.next_tick <= :now
    FOR UPDATE OF s SKIP LOCKED
""")


async def take(tx: Transaction, key: ScheduleKey, now: datetime) -> TakenSchedule | None:
    """Hold a schedule that is due; None when it is not any more, or another transaction holds it."""
    row = (await tx.execute(_TAKE, key.parameters() | {"now": now})).first()
    return None if row is None else TakenSchedule(row.schedule, row.next_tick, row.last_tick, row.namespace, row.name)


_ADVANCE = text("""
    UPDATE headgate.workflow_schedules SET next_tick = :next_tick, last_tick = :last_tick, last_error = :last_error
    WHERE workspace_id = :workspace_id AND workflow_id = :workflow_id AND node = :node
""")


async def advance(
    tx: Transaction, key: ScheduleKey, *, next_tick: datetime, last_tick: datetime | None, last_error: str | None
) -> None:
    """Move a schedule on."""
    parameters = {"next_tick": next_tick, "last_tick": last_tick, "last_error": last_error}
    await tx.execute(_ADVANCE, key.parameters() | parameters)


@dataclass(frozen=True)
class Ticks:
    """The schedules of a workflow, taken together."""

    last_tick: datetime | None
    next_tick: datetime | None
    errors: Mapping[str, str]
    """By node."""


_TICKS = text("""
    SELECT max(s.last_tick) AS last_tick, min(s.next_tick) AS next_tick,
        jsonb_object_agg(s.node, s.last_error) FILTER (WHERE s.last_error IS NOT NULL) AS errors
    FROM headgate.workflow_schedules s
    JOIN headgate.workflows w ON w.workspace_id = s.workspace_id AND w.id = s.workflow_id
    WHERE s.workspace_id = :workspace_id AND w.namespace = :namespace AND w.name = :name AND w.deleted_at IS NULL
""")


async def ticks(tx: Transaction, workspace_id: UUID, namespace: str, name: str) -> Ticks:
    """When the workflow's schedules ticked last and tick next, and what went wrong."""
    row = (await tx.execute(_TICKS, {"workspace_id": workspace_id, "namespace": namespace, "name": name})).one()
    return Ticks(row.last_tick, row.next_tick, row.errors or {})
