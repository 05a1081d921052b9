"""Whether the tables are there, and partitions of the history, made ahead of time."""

from __future__ import annotations

from datetime import datetime

from headgate.store.database import Transaction

_ENSURE = "SELECT headgate.ensure_partitions(%(reference)s, %(months_ahead)s)"


async def ensure_partitions(tx: Transaction, reference: datetime, months_ahead: int) -> int:
    """Make the partitions of the month of ``reference`` and of those after it. Returns how many were missing.

    Takes a system transaction. Where none is missing it reads the catalogue and locks nothing.
    """
    return int(await tx.value(_ENSURE, {"reference": reference, "months_ahead": months_ahead}) or 0)


_AHEAD = "SELECT headgate.partitions_ahead(%(reference)s)"


async def partitions_ahead(tx: Transaction, reference: datetime) -> int:
    """For how many months after that of ``reference`` there are all partitions; -1 where that month has not all.

    Takes a system transaction, and reads the catalogue.
    """
    return int((await tx.one(_AHEAD, {"reference": reference}))[0])


_CHECK = "SELECT FROM headgate.alembic_version"


async def check(tx: Transaction) -> None:
    """Return when the tables are there. Raises what the transaction makes of their absence."""
    await tx.execute(_CHECK)
