"""Statements that end the leases of who has died before their time: the next one need not wait for them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from headgate.store.database import Transaction

_CLAIMS = """
    UPDATE headgate.tasks SET due_at = %(now)s
    WHERE kind = 'job' AND holder = %(holder)s AND job_uid IS NULL AND due_at > %(now)s
"""


async def end_claims(tx: Transaction, holder: str, now: datetime) -> int:
    """Make due what the holder claimed, in all workspaces. Takes a system transaction."""
    return await tx.execute(_CLAIMS, {"holder": holder, "now": now})


# A time in the future is a lease's, but for an ending that failed, a call that is tried again, and a call that has
# been made, which is due at its timeout.
_CHAINING = """
    WITH endings AS (
        UPDATE headgate.run_endings SET due_at = %(now)s
        WHERE workspace_id = %(workspace_id)s AND failures = 0 AND due_at > %(now)s
        RETURNING 1
    ), calls AS (
        UPDATE headgate.tasks SET due_at = %(now)s
        WHERE workspace_id = %(workspace_id)s AND kind = 'call' AND due_at > %(now)s AND (job_uid IS NULL OR stopping)
            AND (waiting_until IS NULL OR waiting_until <= %(now)s)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM endings) + (SELECT count(*) FROM calls)
"""


async def end_chaining(tx: Transaction, workspace_id: UUID, now: datetime) -> int:
    """Make due the endings and calls of a workspace that were taken by somebody. Returns how many there were."""
    return int(await tx.value(_CHAINING, {"workspace_id": workspace_id, "now": now}) or 0)
