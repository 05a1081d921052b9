"""What runs cost and how they fare, as the API gives it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainSerializer, StringConstraints

from headgate.domain.analytics import Tally
from headgate.domain.labels import LABEL_KEY
from headgate.domain.recommendations import Rule
from headgate.engine.reading.analytics import AnalyticsView, CostPage, DayView, NodeTimes, UseView
from headgate.engine.reading.recommendations import RecommendationView
from headgate.gateway.models.base import ApiModel, Namespace, ObjectName, PageQuery


def _written(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


_GIB = 2**30
Money = Annotated[
    Decimal,
    PlainSerializer(_written, return_type=str),
    Field(examples=["0.0185"]),
]
"""A decimal, written as a text so that nothing of it is lost, in the currency of the price table."""


Quantity = Annotated[
    Decimal,
    PlainSerializer(_written, return_type=str),
    Field(examples=["0.25"]),
]
"""An amount, as a decimal that is written as a text."""


class Grouping(StrEnum):
    """By what costs are added up."""

    DAY = "day"
    WORKFLOW = "workflow"
    LABEL = "label"


class Span(ApiModel):
    """Days of UTC, 90 of them at most."""

    since: date | None = None
    """The first day, such as 2026-03-01; 29 days before the last one when absent."""
    until: date | None = None
    """The last day, which is part of the span; today when absent."""


class AnalyticsQuery(Span):
    """Which runs are looked at."""

    workflow: ObjectName | None = None
    """Those of this workflow; all of the workspace when absent."""
    namespace: Namespace | None = None
    """The workflow's namespace; the one of the workspace's name when absent. Counts only together with ``workflow``."""


class CostQuery(PageQuery, Span):
    """Which costs are added up, and how."""

    by: Grouping = Grouping.DAY
    """By days, workflows, or the values of a label."""
    label: Annotated[str, StringConstraints(min_length=1, max_length=317, pattern=f"^{LABEL_KEY}$")] | None = None
    """The key of the label, where costs are added up by one."""


class MeasuredUse(ApiModel):
    """What attempts used of what they requested: those alone of which it was measured, so that both can be compared."""

    attempts: int
    """How many these are."""
    cpu_hours_requested: Quantity
    """CPUs that they requested, times hours."""
    cpu_hours_used: Quantity
    """CPUs that they used in the mean, times hours."""
    memory_gib_hours_requested: Quantity
    """GiB of memory that they requested, times hours."""
    memory_gib_hours_used: Quantity
    """GiB of memory that they used in the mean, times hours."""


class CostItem(ApiModel):
    """What was spent on one thing."""

    name: str
    """The day, the workflow, or the value of the label."""
    namespace: str | None
    """The workflow's namespace; null where it is no workflow."""
    cost: Money
    """What the attempts cost that ended in the span."""
    use: MeasuredUse | None
    """What they used; null where nothing was measured, and by labels, where it is not added up."""


class CostList(ApiModel):
    """A page of what was spent."""

    since: date
    """The first day."""
    until: date
    """The last day."""
    total: Money | None
    """What the workspace spent in all; null where nothing had a price."""
    use: MeasuredUse | None
    """What its attempts used in all; null, and never nothing, where nothing was measured: they cost their requests."""
    items: tuple[CostItem, ...]
    """By name. What has no price is left out."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


class RunTotals(ApiModel):
    """Runs that ended. Test and Debug runs are left out."""

    total: int
    """All of them."""
    successful: int
    """Those that succeeded."""
    failed: int
    """Those that failed."""
    cancelled: int
    """Those that were cancelled."""
    success_rate: float | None
    """The share that succeeded of those that succeeded or failed; null where there are none."""
    average_duration_ms: int | None
    """Milliseconds from when a run was asked for to its end."""
    p95_duration_ms: int | None
    """Milliseconds within which 95 percent ended, at most 4.5 percent off."""
    average_queue_ms: int | None
    """Milliseconds from when a run was asked for to its start. Runs that were taken up again are left out."""
    cost: Money | None
    """What the attempts cost that ended; null where nothing had a price."""


class AnalyticsDay(RunTotals):
    """A day on which something ended."""

    day: date
    """In UTC."""


class SlowNode(ApiModel):
    """How long a node's attempts took."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The node."""
    attempts: int
    """Attempts that ended; each item of a list is one."""
    failed: int
    """Those that failed."""
    average_duration_ms: int
    """Milliseconds on average."""
    longest_duration_ms: int
    """Milliseconds of the longest one."""
    cost: Money | None
    """What they cost; null where they had no price."""


class Analytics(RunTotals):
    """How runs fared that ended in a span of days. It is at most a minute behind."""

    since: date
    """The first day."""
    until: date
    """The last day."""
    attempts: int
    """Attempts of nodes that ended."""
    trend: float | None
    """By how much the success rate of the later half of the days is above the earlier one's; null without both."""
    health_score: int | None
    """From 0 to 100: 80 times the success rate, 10 for one that does not fall, and 10 for runs that start at once."""
    days: tuple[AnalyticsDay, ...]
    """The days on which something ended, the oldest first."""
    slowest_nodes: tuple[SlowNode, ...]
    """The ten nodes whose attempts took longest on average."""


class RecommendationItem(ApiModel):
    """Something that could go better."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The node that is to change."""
    rule: Rule
    """What to change, in one stable word."""
    message: str
    """The same for people, with what it is said from."""
    made_at: datetime
    """When it was said first in these words."""


class RecommendationList(ApiModel):
    """What is recommended, by how nodes fared in the last seven days. It is made anew each day."""

    items: tuple[RecommendationItem, ...]
    """By workflow and node, 500 at most."""


def recommendations_of(found: tuple[RecommendationView, ...]) -> RecommendationList:
    """The recommendations as the API gives them."""
    items = (RecommendationItem.model_validate(vars(one)) for one in found)
    return RecommendationList(items=tuple(items))


def analytics_of(view: AnalyticsView, since: date, until: date) -> Analytics:
    """The analytics as the API gives them."""
    return Analytics.model_validate(
        {
            **_totals(view.tally, view.p95_ms, view.cost),
            "since": since,
            "until": until,
            "attempts": view.attempts,
            "trend": view.trend,
            "health_score": view.health,
            "days": tuple(_day(day) for day in view.days),
            "slowest_nodes": tuple(_node(node) for node in view.slowest),
        }
    )


def costs_of(page: CostPage, since: date, until: date) -> CostList:
    """The costs as the API gives them."""
    items = tuple(
        CostItem(name=item.name, namespace=item.namespace, cost=item.cost, use=measured_of(item.use))
        for item in page.items
    )
    return CostList(
        since=since, until=until, total=page.total, use=measured_of(page.use), items=items, next_cursor=page.next_cursor
    )


def measured_of(view: UseView | None) -> MeasuredUse | None:
    """What was used, as the API gives it."""
    if view is None:
        return None
    return MeasuredUse(
        attempts=view.attempts,
        cpu_hours_requested=_hours(view.cpu_requested),
        cpu_hours_used=_hours(view.cpu_used),
        memory_gib_hours_requested=_hours(view.memory_requested / _GIB),
        memory_gib_hours_used=_hours(view.memory_used / _GIB),
    )


def _hours(seconds: Decimal) -> Decimal:
    return round(seconds / 3600, 6)


def _totals(tally: Tally, p95_ms: int | None, cost: Decimal | None) -> dict[str, int | float | Decimal | None]:
    return {
        "total": tally.total,
        "successful": tally.successful,
        "failed": tally.failed,
        "cancelled": tally.cancelled,
        "success_rate": tally.success_rate,
        "average_duration_ms": tally.average_ms,
        "p95_duration_ms": p95_ms,
        "average_queue_ms": tally.average_queue_ms,
        "cost": cost,
    }


def _day(day: DayView) -> AnalyticsDay:
    return AnalyticsDay.model_validate({**_totals(day.tally, day.p95_ms, day.cost), "day": day.day})


def _node(node: NodeTimes) -> SlowNode:
    return SlowNode(
        namespace=node.namespace,
        workflow=node.workflow,
        node=node.node,
        attempts=node.attempts,
        failed=node.failed,
        average_duration_ms=node.average_ms,
        longest_duration_ms=node.longest_ms,
        cost=node.cost,
    )
