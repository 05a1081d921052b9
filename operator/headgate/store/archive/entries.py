"""Statements that find the entries of audit logs that may be archived, read them, and delete them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from headgate.domain.archive import AUDIT, SizedEntry
from headgate.domain.audit_chain import NOTHING, Head
from headgate.store.archive.columns import selected
from headgate.store.database import Transaction

_END = """
    SELECT e.sequence, e.hash FROM (
        SELECT last_sequence AS sequence, hash FROM headgate.audit_parts
        WHERE workspace_id = %(workspace_id)s AND state <> 'Writing'
        UNION ALL SELECT sequence, hash FROM headgate.audit_anchors WHERE workspace_id = %(workspace_id)s
    ) e ORDER BY e.sequence DESC LIMIT 1
"""


async def end(tx: Transaction, workspace_id: UUID) -> Head:
    """The last entry that is in a part, or was: the next part begins after it."""
    row = await tx.row(_END, {"workspace_id": workspace_id})
    return NOTHING if row is None else Head(row.sequence, bytes(row.hash))


_SIZES = """
    SELECT sequence, at, 512 + octet_length(actor_name) + octet_length(object)
        + octet_length(CAST(detail AS text)) AS bytes
    FROM headgate.audit_log
    WHERE workspace_id = %(workspace_id)s AND sequence > %(after)s AND sequence <= (
        SELECT max(sequence) FROM headgate.audit_checkpoints WHERE workspace_id = %(workspace_id)s
    )
    ORDER BY sequence LIMIT %(limit)s
"""


async def sizes(tx: Transaction, workspace_id: UUID, after: int, limit: int) -> list[SizedEntry]:
    """Up to ``limit`` entries after that number for which a signature stands, in order."""
    parameters = {"workspace_id": workspace_id, "after": after, "limit": limit}
    return [SizedEntry(row.sequence, row.at, row.bytes) for row in await tx.rows(_SIZES, parameters)]


# Hashes are what does not get smaller: that before is told where the row before does not have it.
_BEFORE = "NULLIF(e.previous_hash, lag(e.hash) OVER (ORDER BY e.sequence))"
_ROWS = f"""
    SELECT {selected(AUDIT, "e", previous_hash=_BEFORE)} FROM headgate.audit_log e
    WHERE e.workspace_id = %(workspace_id)s AND e.sequence >= %(first)s AND e.sequence <= %(last)s
    ORDER BY e.sequence
"""  # noqa: S608 - constants


async def rows(tx: Transaction, workspace_id: UUID, first: int, last: int) -> list[Any]:
    """The rows of these entries as files have them, in order. The hash before is NULL where the row before has it."""
    return await tx.rows(_ROWS, {"workspace_id": workspace_id, "first": first, "last": last})


_REMOVE = "SELECT headgate.remove_archived_audit(%(part_id)s)"


async def remove(tx: Transaction, part_id: UUID) -> int:
    """Delete the entries of a verified part, the oldest that there are, from the log. Returns how many.

    There has to be an anchor at their end.
    """
    return int(await tx.value(_REMOVE, {"part_id": part_id}) or 0)
