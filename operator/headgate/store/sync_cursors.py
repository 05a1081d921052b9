"""Statements about how far copies have come."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.domain.sync import CursorName, Reached
from headgate.store.database import Transaction
from headgate.store.records import RunKey

# Whose attempt still has its lease keeps the cursor. One whose lease ran out may find that it is another's.
_UNDER_LEASE = """EXISTS (
        SELECT FROM headgate.tasks t
        WHERE t.workspace_id = c.workspace_id AND t.execution_id = c.run_id AND t.node = c.node
            AND t.attempt = c.attempt AND t.holder IS NOT NULL AND t.due_at > %(now)s
    )"""
_TAKE = f"""
    INSERT INTO headgate.sync_cursors AS c (workspace_id, workflow_id, node, digest, batches, records, run_id, attempt,
        updated_at)
    SELECT %(workspace_id)s, e.workflow_id, %(node)s, %(digest)s, 0, 0, %(run_id)s, %(attempt)s, %(now)s
    FROM headgate.workflow_executions e
    JOIN headgate.workflows w ON w.workspace_id = e.workspace_id AND w.id = e.workflow_id AND w.deleted_at IS NULL
    WHERE e.workspace_id = %(workspace_id)s AND e.id = %(run_id)s AND e.started_at = %(started_at)s
    ON CONFLICT (workspace_id, workflow_id, node) DO UPDATE
    SET digest = excluded.digest, run_id = excluded.run_id, attempt = excluded.attempt,
        updated_at = excluded.updated_at,
        reached = CASE WHEN c.digest = excluded.digest THEN c.reached END,
        pending = CASE WHEN c.digest = excluded.digest THEN c.pending END,
        batches = CASE WHEN c.digest = excluded.digest THEN c.batches ELSE 0 END,
        records = CASE WHEN c.digest = excluded.digest THEN c.records ELSE 0 END
    WHERE (c.run_id, c.attempt) = (excluded.run_id, excluded.attempt) OR NOT {_UNDER_LEASE}
    RETURNING reached, pending
"""  # noqa: S608 - constants


async def take(tx: Transaction, run: RunKey, node: str, attempt: int, digest: str, now: datetime) -> Reached | None:
    """Make the cursor of the node that attempt's, and return it.

    None while it is that of another under way, and where the workflow was deleted. It is at the beginning where there
    was none, or one of another digest.
    """
    parameters = {"node": node, "attempt": attempt, "digest": digest, "now": now}
    row = await tx.row(_TAKE, run.parameters() | parameters)
    return None if row is None else Reached(row.reached, row.pending)


_MOVE = """
    UPDATE headgate.sync_cursors c
    SET reached = %(reached)s, pending = %(pending)s, records = c.records + %(records)s, updated_at = %(now)s,
        batches = c.batches + (c.reached IS DISTINCT FROM %(reached)s)::int
    FROM headgate.workflow_executions e
    WHERE e.workspace_id = %(workspace_id)s AND e.id = %(run_id)s AND e.started_at = %(started_at)s
        AND c.workspace_id = e.workspace_id AND c.workflow_id = e.workflow_id AND c.node = %(node)s
        AND c.run_id = %(run_id)s AND c.attempt = %(attempt)s
"""


async def move(
    tx: Transaction, run: RunKey, node: str, attempt: int, reached: Reached, records: int, now: datetime
) -> bool:
    """Move the cursor, and return whether it was that attempt's."""
    parameters = {
        "node": node,
        "attempt": attempt,
        "reached": reached.at,
        "pending": reached.until,
        "records": records,
        "now": now,
    }
    return bool(await tx.execute(_MOVE, run.parameters() | parameters))


_OF_WORKFLOWS = f"""
    SELECT w.namespace, w.name AS workflow, c.workflow_id, c.node, c.batches, c.records, c.run_id, c.attempt,
        c.updated_at, {_UNDER_LEASE} AS held, {{reached}}
    FROM headgate.workflows w
    JOIN headgate.sync_cursors c ON c.workspace_id = w.workspace_id AND c.workflow_id = w.id
    WHERE w.workspace_id = %(workspace_id)s AND w.deleted_at IS NULL
"""  # noqa: S608 - constants
# A place may be 64 KiB long, so that a list has none.
_PAGE = f"""
    {_OF_WORKFLOWS.format(reached="NULL AS reached, NULL AS pending")}
        AND (w.namespace, w.name, c.node) > (%(namespace)s, %(workflow)s, %(node)s)
    ORDER BY w.namespace, w.name, c.node LIMIT %(limit)s
"""


async def page(tx: Transaction, workspace_id: UUID, after: CursorName, now: datetime, limit: int) -> list[Any]:
    """Up to ``limit`` cursors by namespace, workflow and node, those after ``after``, without where they stand."""
    return await tx.rows(_PAGE, vars(after) | {"workspace_id": workspace_id, "now": now, "limit": limit})


_ONE = f"""
    {_OF_WORKFLOWS.format(reached="c.reached, c.pending")}
        AND w.namespace = %(namespace)s AND w.name = %(workflow)s AND c.node = %(node)s
"""


async def one(tx: Transaction, workspace_id: UUID, name: CursorName, now: datetime) -> Any | None:
    """The cursor of that name."""
    return await tx.row(_ONE, vars(name) | {"workspace_id": workspace_id, "now": now})


_LOCK = """
    SELECT c.node FROM headgate.workflows w
    JOIN headgate.sync_cursors c ON c.workspace_id = w.workspace_id AND c.workflow_id = w.id
    WHERE w.workspace_id = %(workspace_id)s AND w.deleted_at IS NULL
        AND w.namespace = %(namespace)s AND w.name = %(workflow)s AND c.node = %(node)s
    FOR UPDATE OF c
"""


async def lock(tx: Transaction, workspace_id: UUID, name: CursorName) -> None:
    """Let nobody take or move the cursor until the transaction ends."""
    await tx.execute(_LOCK, vars(name) | {"workspace_id": workspace_id})


_FORGET = """
    DELETE FROM headgate.sync_cursors
    WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s AND node = %(node)s
"""


async def forget(tx: Transaction, workspace_id: UUID, workflow_id: UUID, node: str) -> None:
    """Remove a cursor: whoever takes it next is at the beginning, and whoever had it can move it no more."""
    await tx.execute(_FORGET, {"workspace_id": workspace_id, "workflow_id": workflow_id, "node": node})
