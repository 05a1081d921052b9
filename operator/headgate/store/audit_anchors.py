"""Statements about anchors: where what is left of an audit log begins."""

from __future__ import annotations

from uuid import UUID

from headgate.domain.audit import Anchor, Cut
from headgate.store.database import Transaction

_ALL = """
    SELECT workspace_id, cut, sequence, hash, at, signing_key, signature FROM headgate.audit_anchors
    WHERE workspace_id = %(workspace_id)s ORDER BY sequence, cut
"""


async def anchors(tx: Transaction, workspace_id: UUID) -> list[Anchor]:
    """All anchors of the workspace's log, in order."""
    return [
        Anchor(
            row.workspace_id,
            Cut(row.cut),
            row.sequence,
            bytes(row.hash),
            row.at,
            row.signing_key,
            bytes(row.signature),
        )
        for row in await tx.rows(_ALL, {"workspace_id": workspace_id})
    ]


_ADD = """
    INSERT INTO headgate.audit_anchors (workspace_id, cut, sequence, hash, at, signing_key, signature)
    VALUES (%(workspace_id)s, %(cut)s, %(sequence)s, %(hash)s, %(at)s, %(signing_key)s, %(signature)s)
"""


async def add(tx: Transaction, anchor: Anchor) -> None:
    """Keep an anchor. It is for ever."""
    await tx.execute(_ADD, vars(anchor) | {"cut": anchor.cut.value})
