"""Statements about calls of the API. What they mean is in the migration that has their functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction

ALL = ""
"""The subject that stands for the whole workspace: its window is an hour, and those of others a minute."""


@dataclass(frozen=True)
class Counter:
    """One window of a workspace or of one who calls, with what was lent of it since it was last given back."""

    subject: str
    began: datetime
    generation: int


@dataclass(frozen=True)
class Wanted:
    """Calls that one caller wants to pass."""

    calls: int
    paid: int = 0
    """Those of them that have had their room in the caller's minute."""


@dataclass(frozen=True)
class Loans:
    """What may be lent at most."""

    replica: UUID
    """Who spends it."""
    hourly: int = 0
    """Calls of the workspace's hour."""
    each: int = 0
    """Calls of the minute of each that asks."""


@dataclass(frozen=True)
class Taken:
    """What became of a counter."""

    counter: Counter
    granted: int
    """Calls that passed."""
    used: int
    """Of the limit: by the pot where the workspace shares one. What is lent is part of it."""
    limit: int
    ends_in: timedelta
    """Until the window ends."""
    lent: int
    """Calls that were lent now."""
    settling: bool
    """Whether something is being given back, so that there may be more in a moment."""

    @property
    def left(self) -> int:
        """Calls that may still be taken."""
        return max(0, self.limit - self.used)


_TAKE = """
    SELECT * FROM headgate.take_calls(%(workspace_id)s, %(subjects)s::text[], %(wanted)s::integer[],
        %(paid)s::integer[], %(paid_hourly)s, %(burst)s, %(replica)s, %(lend_hourly)s, %(lend_each)s)
"""


async def take(
    tx: Transaction, workspace_id: UUID, wanted: Mapping[str, Wanted], *, paid_hourly: int, burst: int, loans: Loans
) -> dict[str, Taken]:
    """Let calls pass, as many as there is room for. What became of each counter, by subject, ``ALL`` among them.

    ``paid_hourly`` of the calls have had their room in the hour; ``burst`` is the limit of a minute.
    """
    parameters = {
        "workspace_id": workspace_id,
        "subjects": list(wanted),
        "wanted": [item.calls for item in wanted.values()],
        "paid": [item.paid for item in wanted.values()],
        "paid_hourly": paid_hourly,
        "burst": burst,
        "replica": loans.replica,
        "lend_hourly": loans.hourly,
        "lend_each": loans.each,
    }
    return {row.subject: _taken(row) for row in await tx.rows(_TAKE, parameters)}


_JOIN = """
    SELECT * FROM headgate.join_loans(%(workspace_id)s, %(replica)s, %(subjects)s::text[], %(windows)s::timestamptz[],
        %(generations)s::integer[])
"""


async def join(tx: Transaction, workspace_id: UUID, replica: UUID, counters: Sequence[Counter]) -> frozenset[Counter]:
    """Those of the counters of which the replica may spend what was lent."""
    rows = await tx.rows(_JOIN, {"workspace_id": workspace_id, "replica": replica, **_arrays(counters)})
    joined = {(row.subject, row.began) for row in rows if row.joined}
    return frozenset(counter for counter in counters if (counter.subject, counter.began) in joined)


_SETTLE = """
    SELECT headgate.settle_loans(%(workspace_id)s, %(replica)s, %(subjects)s::text[], %(windows)s::timestamptz[],
        %(generations)s::integer[], %(spent)s::integer[])
"""


async def settle(tx: Transaction, workspace_id: UUID, replica: UUID, spent: Mapping[Counter, int]) -> None:
    """Take down what the replica spent of what was lent. It spends no more of it. May be repeated."""
    parameters = {"workspace_id": workspace_id, "replica": replica, **_arrays(list(spent))}
    await tx.execute(_SETTLE, {**parameters, "spent": list(spent.values())})


_SETTLING = """
    SELECT DISTINCT l.workspace_id, l.subject, l.window_start, w.generation FROM headgate.rate_limit_loans l
    JOIN headgate.workspace_rate_limits w ON w.workspace_id = l.workspace_id AND w.subject = l.subject
        AND w.window_start = l.window_start
    WHERE l.spent IS NOT NULL
"""


async def settling(tx: Transaction) -> dict[UUID, frozenset[Counter]]:
    """Counters of all workspaces of which somebody told what they spent, and others have yet to.

    A system transaction's. There are none nearly always.
    """
    found: dict[UUID, frozenset[Counter]] = {}
    for row in await tx.rows(_SETTLING):
        counter = Counter(row.subject, row.window_start, row.generation)
        found[row.workspace_id] = found.get(row.workspace_id, frozenset()) | {counter}
    return found


def _arrays(counters: Sequence[Counter]) -> dict[str, Any]:
    return {
        "subjects": [counter.subject for counter in counters],
        "windows": [counter.began for counter in counters],
        "generations": [counter.generation for counter in counters],
    }


def _taken(row: Any) -> Taken:
    return Taken(
        counter=Counter(row.subject, row.began, row.generation),
        granted=row.granted,
        used=row.used,
        limit=row.most,
        ends_in=timedelta(milliseconds=row.lasts),
        lent=row.lent,
        settling=row.settling,
    )
