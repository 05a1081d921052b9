"""Beats: numbers that are written to the primary, to see on a standby how far it has come."""

from __future__ import annotations

from headgate.store.database import Transaction

_WRITE = """
    INSERT INTO headgate.replication_beats AS b (number) VALUES (1)
    ON CONFLICT (one) DO UPDATE SET number = b.number + 1 RETURNING number
"""


async def write(tx: Transaction) -> int:
    """The next number, which is above all before it. Takes a system transaction."""
    return int((await tx.one(_WRITE))[0])


_SEEN = "SELECT number FROM headgate.replication_beats"


async def seen(tx: Transaction) -> int:
    """The newest number that has come here; 0 where none has."""
    return int(await tx.value(_SEEN) or 0)
