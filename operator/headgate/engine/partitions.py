"""Partitions of the months to come, and what is done where one is missing all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from headgate.engine.context import Context
from headgate.store import maintenance
from headgate.store.errors import PartitionMissing

T = TypeVar("T")

MONTHS_AHEAD = 3
"""Months after the present one whose partitions are made ahead of time."""


async def ensure(context: Context, now: datetime) -> int:
    """Make the partitions of the month of ``now`` and the next ones. Returns how many were missing."""
    async with context.database.system() as tx:
        return await maintenance.ensure_partitions(tx, now, MONTHS_AHEAD)


async def ahead(context: Context, now: datetime) -> int:
    """See ``Engine.partitions_ahead``."""
    async with context.database.system() as tx:
        return await maintenance.partitions_ahead(tx, now)


async def given(context: Context, now: datetime, work: Callable[[], Awaitable[T]]) -> T:
    """Do the work; where the partition of ``now`` is missing, do it once more when that has been made."""
    try:
        return await work()
    except PartitionMissing:
        await ensure(context, now)
        return await work()
