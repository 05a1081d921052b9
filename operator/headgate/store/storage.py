"""Statements about how much a workspace keeps."""

from __future__ import annotations

from uuid import UUID

from headgate.domain.storage import StorageLeft
from headgate.store.database import Transaction

_LEFT = "SELECT bytes, max_mb, pot FROM headgate.storage_left(%(workspace_id)s)"


async def left(tx: Transaction, workspace_id: UUID) -> StorageLeft:
    """How much more the workspace may keep. Nobody else takes of it after a statement that found no room."""
    row = await tx.one(_LEFT, {"workspace_id": workspace_id})
    return StorageLeft(row.bytes, row.max_mb, row.pot)
