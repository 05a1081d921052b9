"""Statements about what attempts in pools printed, until it is in the object store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from headgate.domain.step_log import CutLog
from headgate.domain.task import TaskRef
from headgate.store.database import Transaction

MOST_WAITING = 200
"""Logs of a workspace that may wait: while the object store is away, further ones are not kept."""

_ATTEMPT = "workspace_id = %(workspace_id)s AND execution_id = %(run_id)s AND node = %(node)s AND attempt = %(attempt)s"

_ADD = """
    INSERT INTO headgate.pool_logs
        (workspace_id, execution_id, node, attempt, content, truncated, printed_at)
    SELECT %(workspace_id)s, %(run_id)s, %(node)s, %(attempt)s, %(content)s, %(truncated)s, %(now)s
    WHERE %(most)s > (
        SELECT count(*) FROM (
            SELECT FROM headgate.pool_logs WHERE workspace_id = %(workspace_id)s LIMIT %(most)s
        ) waiting
    )
    ON CONFLICT (workspace_id, execution_id, node, attempt) DO UPDATE SET
        content = excluded.content, truncated = excluded.truncated, printed_at = excluded.printed_at
"""


async def add(tx: Transaction, ref: TaskRef, printed: CutLog, now: datetime) -> None:
    """Keep what the attempt printed, where not too much of the workspace waits."""
    parameters = {"content": printed.content, "truncated": printed.truncated, "now": now, "most": MOST_WAITING}
    await tx.execute(_ADD, _key(ref) | parameters)


_WAITING = """
    SELECT workspace_id, execution_id, node, attempt, printed_at FROM headgate.pool_logs
    ORDER BY printed_at LIMIT %(limit)s
"""


async def waiting(tx: Transaction, limit: int) -> list[Any]:
    """Whose wait longest, in all workspaces."""
    return await tx.rows(_WAITING, {"limit": limit})


_PRINTED = f"SELECT content, truncated FROM headgate.pool_logs WHERE {_ATTEMPT}"  # noqa: S608 - constants


async def printed(tx: Transaction, ref: TaskRef) -> CutLog | None:
    """What the attempt printed."""
    row = await tx.row(_PRINTED, _key(ref))
    return CutLog(bytes(row.content), row.truncated) if row is not None else None


_DELETE = f"DELETE FROM headgate.pool_logs WHERE {_ATTEMPT}"  # noqa: S608 - constants


async def delete(tx: Transaction, ref: TaskRef) -> None:
    """It is in the object store, or never will be."""
    await tx.execute(_DELETE, _key(ref))


def _key(ref: TaskRef) -> dict[str, Any]:
    return {"workspace_id": ref.workspace_id, "run_id": ref.run_id, "node": ref.node, "attempt": ref.attempt}
