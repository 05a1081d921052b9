"""Statements about workspaces and their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.tables import quotas

LIMITS = tuple(column.name for column in quotas.columns if column.name != "workspace_id")
"""Names of the limits, as in ``Limits``."""


@dataclass(frozen=True)
class KnownWorkspace:
    """A workspace as it is recorded."""

    id: UUID
    suspended: bool
    limits: Mapping[str, int]


_FIND = f"""
    SELECT w.id, w.suspended, {", ".join(f"q.{limit}" for limit in LIMITS)}
    FROM headgate.workspaces w JOIN headgate.workspace_resource_quotas q ON q.workspace_id = w.id
    WHERE w.name = %(name)s AND w.deleted_at IS NULL
"""  # noqa: S608 - constants


async def find(tx: Transaction, name: str) -> KnownWorkspace | None:
    """The active workspace of that name."""
    row = await tx.row(_FIND, {"name": name})
    if row is None:
        return None
    return KnownWorkspace(row.id, row.suspended, {limit: getattr(row, limit) for limit in LIMITS})


_PUT = f"""
    WITH workspace AS (
        INSERT INTO headgate.workspaces (id, name, suspended, created_at)
        VALUES (%(id)s, %(name)s, %(suspended)s, %(now)s)
        ON CONFLICT (name) WHERE deleted_at IS NULL DO UPDATE SET suspended = excluded.suspended
        RETURNING id
    ), quota AS (
        INSERT INTO headgate.workspace_resource_quotas (workspace_id, {", ".join(LIMITS)})
        SELECT id, {", ".join(f"%({limit})s" for limit in LIMITS)} FROM workspace
        ON CONFLICT (workspace_id) DO UPDATE SET {", ".join(f"{limit} = excluded.{limit}" for limit in LIMITS)}
    ), usage AS (
        INSERT INTO headgate.workspace_usage (workspace_id, running, queued, day, executions)
        SELECT id, 0, 0, %(today)s, 0 FROM workspace
        ON CONFLICT (workspace_id) DO NOTHING
    )
    SELECT id FROM workspace
"""  # noqa: S608 - constants


async def put(
    tx: Transaction, new_id: UUID, name: str, *, suspended: bool, limits: Mapping[str, int], now: datetime
) -> UUID:
    """Write the active workspace of that name, under ``new_id`` when there is none. Returns its id."""
    values = {"id": new_id, "name": name, "suspended": suspended, "now": now, "today": now.date(), **limits}
    workspace_id: UUID = (await tx.one(_PUT, values)).id
    return workspace_id


_SUSPEND = "UPDATE headgate.workspaces SET suspended = true WHERE id = %(id)s"


async def suspend(tx: Transaction, workspace_id: UUID) -> None:
    """Let no run start any more."""
    await tx.execute(_SUSPEND, {"id": workspace_id})


_RUNNING = "SELECT running FROM headgate.workspace_usage WHERE workspace_id = %(id)s"


async def running(tx: Transaction, workspace_id: UUID) -> int:
    """How many runs of the workspace are under way."""
    return int(await tx.value(_RUNNING, {"id": workspace_id}) or 0)


_RETIRE = """
    UPDATE headgate.workspaces SET deleted_at = %(now)s, suspended = true WHERE id = %(id)s AND deleted_at IS NULL
"""


async def retire(tx: Transaction, workspace_id: UUID, now: datetime) -> None:
    """Free the name. The rows stay, under the id."""
    await tx.execute(_RETIRE, {"id": workspace_id, "now": now})


_WITH_PENDING = "SELECT DISTINCT workspace_id FROM headgate.workflow_executions WHERE status = 'Pending'"


async def with_pending_runs(tx: Transaction) -> list[UUID]:
    """Workspaces in which runs are Pending. A system transaction's."""
    return [row.workspace_id for row in await tx.rows(_WITH_PENDING)]
