"""Statements about remembered outputs of nodes."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Memo:
    """An output to be remembered."""

    workflow_id: UUID
    node: str
    key: str
    output: Any
    made_at: datetime


_PUT = """
    SELECT headgate.remember(%(workspace_id)s, %(workflow_id)s, %(node)s, %(key)s, CAST(%(output)s AS jsonb), %(now)s,
        %(since)s)
"""


async def put(tx: Transaction, workspace_id: UUID, memo: Memo, since: datetime) -> bool:
    """Remember an output, where the workspace has room for it, and forget those of the node from before ``since``.

    It counts as what the workspace keeps, besides the run's own. Whether it is remembered.
    """
    parameters = {
        "workspace_id": workspace_id,
        "workflow_id": memo.workflow_id,
        "node": memo.node,
        "key": memo.key,
        "output": to_json(memo.output),
        "now": memo.made_at,
        "since": since,
    }
    return bool(await tx.value(_PUT, parameters))
