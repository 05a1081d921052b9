"""Statements about price tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from headgate.store.database import Transaction
from headgate.store.records import to_json

LOCK = 0x68675F70
"""Number of the lock that writers of price tables take turns by."""
_KEEP = """
    INSERT INTO headgate.price_tables (version, valid_from, prices)
    SELECT %(version)s, %(now)s, CAST(%(prices)s AS jsonb)
    WHERE %(version)s IS DISTINCT FROM (
        SELECT version FROM headgate.price_tables ORDER BY valid_from DESC, version LIMIT 1
    )
    ON CONFLICT DO NOTHING
"""


async def keep(tx: Transaction, version: str, prices: Mapping[str, str], now: datetime) -> bool:
    """Note that the table is valid from now on. False where the newest one is that. A system transaction's, by LOCK."""
    return bool(await tx.execute(_KEEP, {"version": version, "prices": to_json(prices), "now": now}))
