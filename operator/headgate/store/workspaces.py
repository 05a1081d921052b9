"""Statements about workspaces and their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert

from headgate.store.database import Transaction
from headgate.store.tables import quotas, usage, workspaces

LIMITS = tuple(column.name for column in quotas.columns if column.name != "workspace_id")
"""Names of the limits, as in ``Limits``."""


@dataclass(frozen=True)
class KnownWorkspace:
    """A workspace as it is recorded."""

    id: UUID
    suspended: bool
    limits: Mapping[str, int]


_FIND = (
    select(workspaces.c.id, workspaces.c.suspended, *(quotas.c[name] for name in LIMITS))
    .join(quotas, quotas.c.workspace_id == workspaces.c.id)
    .where(workspaces.c.name == bindparam("name"), workspaces.c.deleted_at.is_(None))
)


async def find(tx: Transaction, name: str) -> KnownWorkspace | None:
    """The active workspace of that name."""
    row = (await tx.execute(_FIND, {"name": name})).first()
    if row is None:
        return None
    return KnownWorkspace(row.id, row.suspended, {limit: getattr(row, limit) for limit in LIMITS})


_ADD = insert(workspaces)
_SET = (
    _ADD.on_conflict_do_update(
        index_elements=[workspaces.c.name],
        index_where=workspaces.c.deleted_at.is_(None),
        set_={"suspended": _ADD.excluded.suspended},
    )
).returning(workspaces.c.id)
_ADD_QUOTA = insert(quotas)
_SET_QUOTA = _ADD_QUOTA.on_conflict_do_update(
    index_elements=[quotas.c.workspace_id], set_={name: _ADD_QUOTA.excluded[name] for name in LIMITS}
)
_ADD_USAGE = insert(usage).on_conflict_do_nothing()


async def put(
    tx: Transaction, new_id: UUID, name: str, *, suspended: bool, limits: Mapping[str, int], now: datetime
) -> UUID:
    """Write the active workspace of that name, under ``new_id`` when there is none. Returns its id."""
    values = {"id": new_id, "name": name, "suspended": suspended, "created_at": now}
    workspace_id: UUID = (await tx.execute(_SET, values)).scalar_one()
    await tx.execute(_SET_QUOTA, {"workspace_id": workspace_id, **limits})
    await tx.execute(
        _ADD_USAGE,
        {"workspace_id": workspace_id, "running": 0, "queued": 0, "day": now.date(), "executions": 0},
    )
    return workspace_id


async def suspend(tx: Transaction, workspace_id: UUID) -> None:
    """Let no run start any more."""
    await tx.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(suspended=True))


async def retire(tx: Transaction, workspace_id: UUID, now: datetime) -> None:
    """Free the name. The rows stay, under the id."""
    await tx.execute(
        update(workspaces)
        .where(workspaces.c.id == workspace_id, workspaces.c.deleted_at.is_(None))
        .values(deleted_at=now, suspended=True)
    )


_WITH_PENDING = text("SELECT DISTINCT workspace_id FROM headgate.workflow_executions WHERE status = 'Pending'")


async def with_pending_runs(tx: Transaction) -> list[UUID]:
    """Workspaces in which runs are Pending. A system transaction's."""
    return list(await tx.scalars(_WITH_PENDING))
