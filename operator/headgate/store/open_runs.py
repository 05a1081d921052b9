"""Statements that find runs that have not ended, and one that keeps a run from ever beginning."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from headgate.store.database import Transaction

_OVERDUE = """
    SELECT workspace_id, id FROM headgate.workflow_executions
    WHERE status IN ('Running', 'Suspended') AND deadline <= %(now)s
    ORDER BY deadline
"""


async def overdue(tx: Transaction, now: datetime) -> list[tuple[UUID, UUID]]:
    """Workspace and id of the runs whose deadline has passed. Takes a system transaction."""
    return [(row.workspace_id, row.id) for row in await tx.rows(_OVERDUE, {"now": now})]


_OPEN_KEYS = """
    SELECT workspace_id, trigger_key FROM headgate.workflow_executions
    WHERE status IN ('Pending', 'Running', 'Suspended') AND resource IS NOT NULL
"""


async def open_keys_of_resources(tx: Transaction) -> list[tuple[UUID, str]]:
    """Workspace and trigger key of the open runs that a custom resource mirrors. Takes a system transaction."""
    return [(row.workspace_id, row.trigger_key) for row in await tx.rows(_OPEN_KEYS)]


_OPEN = """
    SELECT id FROM headgate.workflow_executions
    WHERE workspace_id = %(workspace_id)s AND status IN ('Pending', 'Running', 'Suspended')
"""


async def of_workspace(tx: Transaction, workspace_id: UUID) -> list[UUID]:
    """The runs of a workspace that have not ended."""
    return [row.id for row in await tx.rows(_OPEN, {"workspace_id": workspace_id})]


_WITHDRAW = """
    INSERT INTO headgate.execution_triggers (workspace_id, trigger_key, execution_id, created_at)
    VALUES (%(workspace_id)s, %(trigger_key)s, NULL, %(now)s)
    ON CONFLICT (workspace_id, trigger_key) DO NOTHING
"""


async def withdraw_key(tx: Transaction, workspace_id: UUID, trigger_key: str, now: datetime) -> bool:
    """Use up a key without a run. Returns whether it was unused; waits for whoever is using it right now."""
    parameters = {"workspace_id": workspace_id, "trigger_key": trigger_key, "now": now}
    return bool(await tx.execute(_WITHDRAW, parameters))
