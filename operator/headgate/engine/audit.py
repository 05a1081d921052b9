"""Who did what is written in the transaction that does it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from headgate.domain.audit import Act
from headgate.store import audit
from headgate.store.database import Transaction


async def record(tx: Transaction, workspace_id: UUID, at: datetime, act: Act | None) -> None:
    """Add an entry to the workspace's log in the transaction that changes what it tells of; nothing for None.

    Call it last. It takes the last lock, which others of the workspace that add entries wait for.
    """
    if act is not None:
        await audit.append(tx, workspace_id, at, act)
