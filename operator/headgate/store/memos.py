"""Statements about remembered outputs of nodes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.records import to_json

_FIND = """
    SELECT output FROM headgate.node_memos
    WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s AND node = %(node)s AND key = %(key)s
        AND created_at >= %(since)s
"""


async def find(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, node: str, key: str, since: datetime
) -> Any | None:
    """The row with the ``output`` remembered under the key since then, or None."""
    return await tx.row(
        _FIND, {"workspace_id": workspace_id, "workflow_id": workflow_id, "node": node, "key": key, "since": since}
    )


_PUT = """
    INSERT INTO headgate.node_memos (workspace_id, workflow_id, node, key, output, created_at)
    VALUES (%(workspace_id)s, %(workflow_id)s, %(node)s, %(key)s, CAST(%(output)s AS jsonb), %(now)s)
    ON CONFLICT (workspace_id, workflow_id, node, key) DO UPDATE
    SET output = excluded.output, created_at = excluded.created_at
"""


async def put(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, node: str, key: str, output: Any, now: datetime
) -> None:
    """Remember an output."""
    await tx.execute(
        _PUT,
        {
            "workspace_id": workspace_id,
            "workflow_id": workflow_id,
            "node": node,
            "key": key,
            "output": to_json(output),
            "now": now,
        },
    )
