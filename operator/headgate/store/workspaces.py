"""Statements about workspaces and their limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from headgate.store.breakers import BreakerRow, breaker_of
from headgate.store.database import Transaction
from headgate.store.fragments import compact
from headgate.store.tables import quotas, retention_policies

LIMITS = tuple(column.name for column in quotas.columns if column.name.startswith("max_"))
"""Names of the limits, as in ``Limits``."""
_PLAN = (*LIMITS, "on_exceeded", "weight", "budget", "budget_stops")
_BREAKER = ("failure_threshold", "failure_window", "cool_down", "half_open_runs")
_RETENTION = tuple(column.name for column in retention_policies.columns if not column.primary_key)
_SETTINGS = (*_PLAN, *_BREAKER, *_RETENTION)


@dataclass(frozen=True)
class KnownWorkspace:
    """A workspace as it is recorded."""

    id: UUID
    suspended: bool
    pot: str | None
    settings: Mapping[str, Any]
    """By column; None where there is no row yet."""


_FIND = f"""
    SELECT w.id, w.suspended, q.pot, {", ".join(_SETTINGS)}
    FROM headgate.workspaces w JOIN headgate.workspace_resource_quotas q ON q.workspace_id = w.id
    LEFT JOIN headgate.workspace_circuit_breakers b ON b.workspace_id = w.id
    LEFT JOIN headgate.data_retention_policies r ON r.workspace_id = w.id
    WHERE w.name = %(name)s AND w.deleted_at IS NULL
"""  # noqa: S608 - constants


async def find(tx: Transaction, name: str) -> KnownWorkspace | None:
    """The active workspace of that name."""
    row = await tx.row(_FIND, {"name": name})
    if row is None:
        return None
    return KnownWorkspace(row.id, row.suspended, row.pot, {name: getattr(row, name) for name in _SETTINGS})


_NAMED = """
    SELECT id, name, suspended FROM headgate.workspaces WHERE name = ANY (%(names)s) AND deleted_at IS NULL
    ORDER BY name COLLATE "C"
"""


async def named(tx: Transaction, names: Sequence[str]) -> list[Any]:
    """The active workspaces of these names, by name. A system transaction's."""
    return await tx.rows(_NAMED, {"names": list(names)})


_ACTIVE_ID = "SELECT id FROM headgate.workspaces WHERE name = %(name)s AND deleted_at IS NULL"


async def active_id(tx: Transaction, name: str) -> UUID | None:
    """The id of the active workspace of that name. A system transaction's."""
    return await tx.value(_ACTIVE_ID, {"name": name})


def _upsert(table: str, columns: tuple[str, ...]) -> str:
    return f"""
        INSERT INTO headgate.{table} (workspace_id, {", ".join(columns)})
        SELECT id, {", ".join(f"%({name})s" for name in columns)} FROM workspace
        ON CONFLICT (workspace_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in columns)}
    """  # noqa: S608 - constants


_PUT = compact(f"""
    WITH workspace AS (
        INSERT INTO headgate.workspaces (id, name, suspended, created_at)
        VALUES (%(id)s, %(name)s, %(suspended)s, %(now)s)
        ON CONFLICT (name) WHERE deleted_at IS NULL DO UPDATE SET suspended = excluded.suspended
        RETURNING id
    ), quota AS ({_upsert("workspace_resource_quotas", _PLAN)}
    ), breaker AS ({_upsert("workspace_circuit_breakers", _BREAKER)}
    ), retention AS ({_upsert("data_retention_policies", _RETENTION)}
    ), usage AS (
        INSERT INTO headgate.workspace_usage (workspace_id, running, queued, day, executions)
        SELECT id, 0, 0, %(today)s, 0 FROM workspace
        ON CONFLICT (workspace_id) DO NOTHING
    )
    SELECT id FROM workspace
""")  # noqa: S608 - constants


async def put(
    tx: Transaction, new_id: UUID, name: str, *, suspended: bool, settings: Mapping[str, Any], now: datetime
) -> UUID:
    """Write the active workspace of that name, under ``new_id`` when there is none. Returns its id."""
    values = {"id": new_id, "name": name, "suspended": suspended, "now": now, "today": now.date(), **settings}
    workspace_id: UUID = (await tx.one(_PUT, values)).id
    return workspace_id


# Both lock the usage row first. Calls go first, as they look for the pot that the workspace is still in.
_MOVE = """
    WITH calls AS MATERIALIZED (SELECT headgate.move_calls_to_pot(%(workspace_id)s, %(pot)s) AS moved)
    SELECT headgate.move_to_pot(%(workspace_id)s, %(pot)s, %(today)s) FROM calls WHERE moved IS NOT NULL
"""


async def move_to_pot(tx: Transaction, workspace_id: UUID, pot: str | None, now: datetime) -> None:
    """Have the workspace share a pot, or with None have limits of its own. A system transaction's."""
    await tx.execute(_MOVE, {"workspace_id": workspace_id, "pot": pot, "today": now.date()})


_IN_POT = """
    SELECT e.workspace_id FROM headgate.workflow_executions e
    JOIN headgate.workspace_resource_quotas q ON q.workspace_id = e.workspace_id
    WHERE e.status = 'Pending' AND q.pot = %(pot)s
    GROUP BY e.workspace_id ORDER BY min(e.started_at)
"""


async def waiting_in_pot(tx: Transaction, pot: str) -> list[UUID]:
    """Workspaces on that pot in which runs are Pending, the one with the oldest first. A system transaction's."""
    return [row.workspace_id for row in await tx.rows(_IN_POT, {"pot": pot})]


@dataclass(frozen=True)
class UsageRow:
    """What a workspace uses."""

    id: UUID
    name: str
    pot: str | None
    running: int
    borrowed: int
    pending: int
    day: date
    executions: int
    storage_bytes: int
    api_calls: int
    month: date
    spent: Decimal
    breaker: BreakerRow


_USAGE = """
    SELECT w.id, w.name, q.pot, u.running, coalesce(l.borrowed, 0) AS borrowed, coalesce(p.pending, 0) AS pending,
        u.day, u.executions, u.storage_bytes, u.month, u.spent, coalesce(c.used, 0) AS api_calls,
        b.failure_threshold, b.failure_window, b.cool_down, b.half_open_runs,
        b.state, b.failures, b.opened_at, b.retry_at, b.episode, b.probes, b.passed, b.reset
    FROM headgate.workspaces w
    JOIN headgate.workspace_resource_quotas q ON q.workspace_id = w.id
    JOIN headgate.workspace_usage u ON u.workspace_id = w.id
    JOIN headgate.workspace_circuit_breakers b ON b.workspace_id = w.id
    LEFT JOIN (
        SELECT workspace_id, count(*) AS pending FROM headgate.workflow_executions
        WHERE status = 'Pending' GROUP BY workspace_id
    ) p ON p.workspace_id = w.id
    LEFT JOIN (
        SELECT workspace_id, count(*) AS borrowed FROM headgate.borrowed_places GROUP BY workspace_id
    ) l ON l.workspace_id = w.id
    CROSS JOIN (SELECT date_trunc('hour', headgate.clock(), 'UTC') AS began) h
    LEFT JOIN headgate.workspace_rate_limits c
        ON c.workspace_id = w.id AND c.subject = '' AND c.window_start = h.began
    WHERE w.deleted_at IS NULL
"""


async def usage(tx: Transaction) -> list[UsageRow]:
    """What every active workspace uses. A system transaction's."""
    return [
        UsageRow(
            id=row.id,
            name=row.name,
            pot=row.pot,
            running=row.running,
            borrowed=row.borrowed,
            pending=row.pending,
            day=row.day,
            executions=row.executions,
            storage_bytes=row.storage_bytes,
            api_calls=row.api_calls,
            month=row.month,
            spent=row.spent,
            breaker=breaker_of(row),
        )
        for row in await tx.rows(_USAGE)
    ]


_SUSPEND = "UPDATE headgate.workspaces SET suspended = true WHERE id = %(id)s"


async def suspend(tx: Transaction, workspace_id: UUID) -> None:
    """Let no run start any more."""
    await tx.execute(_SUSPEND, {"id": workspace_id})


_RUNNING = """
    SELECT running + (SELECT count(*) FROM headgate.borrowed_places WHERE workspace_id = %(id)s)
    FROM headgate.workspace_usage WHERE workspace_id = %(id)s
"""


async def running(tx: Transaction, workspace_id: UUID) -> int:
    """How many runs of the workspace are under way."""
    return int(await tx.value(_RUNNING, {"id": workspace_id}) or 0)


_RETIRE = """
    UPDATE headgate.workspaces SET deleted_at = %(now)s, suspended = true WHERE id = %(id)s AND deleted_at IS NULL
"""


async def retire(tx: Transaction, workspace_id: UUID, now: datetime) -> bool:
    """Free the name. The rows stay, under the id. Whether it had been taken."""
    return bool(await tx.execute(_RETIRE, {"id": workspace_id, "now": now}))


_WITH_PENDING = "SELECT DISTINCT workspace_id FROM headgate.workflow_executions WHERE status = 'Pending'"


async def with_pending_runs(tx: Transaction) -> list[UUID]:
    """Workspaces in which runs are Pending. A system transaction's."""
    return [row.workspace_id for row in await tx.rows(_WITH_PENDING)]
