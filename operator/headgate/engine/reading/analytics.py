"""What runs cost and how they fare, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from headgate.domain.analytics import Tally, health, merged, percentile, trend
from headgate.engine.context import Context
from headgate.store import analytics, prices
from headgate.store.analytics import WHOLE_WORKSPACE, DayRow
from headgate.store.database import Transaction

BATCH = 5000
"""What ended that is added up in one transaction at most."""
MOST_DAYS = 90
"""Days that are looked at together at most."""
SLOWEST = 10


@dataclass(frozen=True)
class DayView:
    """What ended on a day of UTC."""

    day: date
    tally: Tally
    p95_ms: int | None
    cost: Decimal | None


@dataclass(frozen=True)
class NodeTimes:
    """How long a node's attempts took."""

    namespace: str
    workflow: str
    node: str
    attempts: int
    failed: int
    average_ms: int
    longest_ms: int
    cost: Decimal | None


@dataclass(frozen=True)
class AnalyticsView:
    """How the runs of a workspace, or of a workflow, fared."""

    tally: Tally
    p95_ms: int | None
    cost: Decimal | None
    """None where nothing had a price."""
    attempts: int
    trend: float | None
    health: int | None
    days: tuple[DayView, ...]
    """Those of the span on which something ended, the oldest first."""
    slowest: tuple[NodeTimes, ...]


@dataclass(frozen=True)
class UseView:
    """What attempts used of what they requested: those alone of which it was measured."""

    attempts: int
    cpu_requested: Decimal
    """CPU seconds."""
    cpu_used: Decimal
    memory_requested: Decimal
    """Seconds times bytes."""
    memory_used: Decimal


@dataclass(frozen=True)
class CostItem:
    """What was spent on one thing."""

    namespace: str | None
    """Of a workflow."""
    name: str
    cost: Decimal
    use: UseView | None = None
    """None where nothing was measured, or it is not added up so."""


@dataclass(frozen=True)
class CostPage:
    """What was spent."""

    total: Decimal | None
    """In all, whatever the page shows; None where nothing had a price."""
    items: tuple[CostItem, ...]
    next_cursor: str | None
    use: UseView | None = None
    """Of all that ended, with a price or without; None where nothing was measured."""


class Analytics:
    """What runs cost and how they fare. What ended shows once it is folded: within a minute where an operator leads."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def keep_prices(self) -> bool:
        """Note since when the price table is valid. Whether that was news."""
        table = self._context.prices
        if table is None:
            return False
        async with self._context.database.system(lock=prices.LOCK) as tx:
            return await prices.keep(tx, table.version, table.content(), self._context.now())

    async def fold(self) -> bool:
        """Add a bounded part of what ended to its days, each end once. Whether there may be more.

        It costs what ended since, however long the history is.
        """
        async with self._context.database.system(lock=analytics.LOCK) as tx:
            return await analytics.fold(tx, BATCH) == BATCH

    async def view(
        self, workspace_id: UUID, since: date, until: date, workflow: tuple[str, str] | None = None
    ) -> AnalyticsView | None:
        """How runs fared that ended from ``since`` to ``until``; None where there is no such workflow.

        Raises ``ValueError`` for a span of more than ``MOST_DAYS``, or one that ends before it begins.
        """
        _check_span(since, until)

        async def read(tx: Transaction) -> AnalyticsView | None:
            workflow_id = None if workflow is None else await analytics.workflow_id(tx, workspace_id, *workflow)
            if workflow is not None and workflow_id is None:
                return None
            rows = await analytics.days(tx, workspace_id, workflow_id or WHOLE_WORKSPACE, since, until)
            slowest = await analytics.slowest(tx, workspace_id, workflow_id, since, until, SLOWEST)
            return _view(rows, tuple(_times(*row) for row in slowest), since, until)

        return await self._context.late(workspace_id, read)

    async def costs(
        self,
        workspace_id: UUID,
        by: str,
        since: date,
        until: date,
        *,
        label: str = "",
        cursor: str | None = None,
        limit: int = 50,
    ) -> CostPage:
        """What was spent from ``since`` to ``until`` by ``day``, ``workflow``, or values of ``label``.

        Raises ``ValueError`` as ``view`` does, and for a cursor that is not one.
        """
        _check_span(since, until)
        if cursor is not None and "\0" in cursor:
            raise ValueError("the cursor is not one that a list gave")

        async def read(tx: Transaction) -> CostPage:
            total = await analytics.total_cost(tx, workspace_id, since, until)
            rows = await analytics.costs(tx, workspace_id, by, since, until, key=label, after=cursor or "", limit=limit)
            items = tuple(CostItem(row.namespace, row.name, row.cost, use_of(row)) for row in rows)
            following = _cursor(by, items[-1]) if len(items) == limit else None
            return CostPage(total.cost, items, following, use_of(total))

        return await self._context.late(workspace_id, read)


def _check_span(since: date, until: date) -> None:
    days = (until - since).days + 1
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"from since to until there are {days} days: ask for 1 to {MOST_DAYS}")


def _cursor(by: str, item: CostItem) -> str:
    match by:
        case "workflow":
            return f"{item.namespace}/{item.name}"
        case "label":
            return f"={item.name}"
        case _:
            return item.name


def use_of(row: Any) -> UseView | None:
    """What a row says that was used; None where nothing was measured."""
    if not row.measured:
        return None
    return UseView(row.measured, row.cpu_requested, row.cpu_used, row.memory_requested, row.memory_used)


def _view(rows: list[DayRow], slowest: tuple[NodeTimes, ...], since: date, until: date) -> AnalyticsView:
    tallies = {row.day: _tally(row) for row in rows}
    total = sum(tallies.values(), Tally())
    span = (since + timedelta(days=number) for number in range((until - since).days + 1))
    direction = trend(tallies.get(day, Tally()) for day in span)
    priced = [row.cost for row in rows if row.cost is not None]
    return AnalyticsView(
        tally=total,
        p95_ms=percentile(merged(row.buckets for row in rows), 95),
        cost=sum(priced, Decimal(0)) if priced else None,
        attempts=sum(row.attempts for row in rows),
        trend=direction,
        health=health(total, direction),
        days=tuple(DayView(row.day, tallies[row.day], percentile(row.buckets, 95), row.cost) for row in rows),
        slowest=slowest,
    )


def _tally(row: DayRow) -> Tally:
    return Tally(row.total, row.successful, row.failed, row.cancelled, row.duration_ms, row.queued, row.queue_ms)


def _times(
    namespace: str,
    workflow: str,
    node: str,
    attempts: int,
    failed: int,
    duration_ms: int,
    longest_ms: int,
    cost: Decimal | None,
) -> NodeTimes:
    return NodeTimes(namespace, workflow, node, attempts, failed, duration_ms // attempts, longest_ms, cost)
