"""Statements about the archive of all workspaces: whose it is, months that go as a whole, and daily rounds."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from headgate.store.database import Transaction

_WORKSPACES = "SELECT id FROM headgate.workspaces ORDER BY id"


async def workspaces(tx: Transaction) -> list[UUID]:
    """All workspaces, retired ones too. A system transaction's."""
    return [row.id for row in await tx.rows(_WORKSPACES)]


_MONTHS = "SELECT headgate.months_before(%(reference)s) AS month"


async def months_before(tx: Transaction, reference: datetime) -> list[date]:
    """Months that have partitions and have been over for a week. A system transaction's."""
    return [row.month for row in await tx.rows(_MONTHS, {"reference": reference})]


# Counting a large month takes longer than any other statement, and holds up nobody.
_PATIENTLY = "SELECT set_config('statement_timeout', '300s', true)"
_DROP = "SELECT headgate.drop_archived_month(%(month)s, %(reference)s)"
DROPPED = "Dropped"


async def drop(tx: Transaction, month: date, reference: datetime) -> str:
    """Drop a month all of whose runs are in verified parts. ``DROPPED``, or why not. A system transaction's."""
    await tx.execute(_PATIENTLY)
    return str(await tx.value(_DROP, {"month": month, "reference": reference}))


_LAST = "SELECT max(due_at) FROM headgate.archive_rounds"


async def last_round(tx: Transaction) -> datetime | None:
    """When the last daily round was due that was done to its end. A system transaction's."""
    return await tx.value(_LAST)


_FINISHED = """
    WITH older AS (DELETE FROM headgate.archive_rounds WHERE due_at < %(due_at)s)
    INSERT INTO headgate.archive_rounds (due_at, finished_at) VALUES (%(due_at)s, %(now)s) ON CONFLICT DO NOTHING
"""


async def finish_round(tx: Transaction, due_at: datetime, now: datetime) -> None:
    """Note that the round that was due then is done. A system transaction's."""
    await tx.execute(_FINISHED, {"due_at": due_at, "now": now})
