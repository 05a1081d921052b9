"""What runs cost and how they fare."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Security

from headgate.domain.api_keys import Scope
from headgate.engine.engine import Engine
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.analytics import (
    Analytics,
    AnalyticsQuery,
    CostList,
    CostQuery,
    Grouping,
    RecommendationList,
    Span,
    analytics_of,
    costs_of,
    recommendations_of,
)
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE

_DAYS = 30
_FIRST = date(2000, 1, 1)


def analytics_routes(engine: Engine, access: Access, *, wall: Callable[[], datetime]) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=WORKSPACE, tags=["analytics"])
    Reader = Annotated[Caller, Security(access.caller, scopes=[Scope.USAGE_READ])]  # noqa: N806 - a type

    @router.get("/analytics", operation_id="getAnalytics")
    async def analytics(query: Annotated[AnalyticsQuery, Query()], caller: Reader) -> Analytics:
        """How the workspace's runs fared, or a workflow's, in up to 90 days."""
        since, until = _span(query, wall())
        workflow = (query.namespace or caller.workspace, query.workflow) if query.workflow is not None else None
        try:
            view = await engine.analytics.view(caller.workspace_id, since, until, workflow)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        if view is None:
            raise Problem(HTTPStatus.NOT_FOUND, "the workspace has and had no such workflow")
        return analytics_of(view, since, until)

    @router.get("/cost", operation_id="getCost")
    async def cost(query: Annotated[CostQuery, Query()], caller: Reader) -> CostList:
        """What the workspace spent in up to 90 days, by day, workflow, or the values of a label."""
        since, until = _span(query, wall())
        if (query.by is Grouping.LABEL) != (query.label is not None):
            detail = "name the key of a label together with by=label, and only then"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        try:
            page = await engine.analytics.costs(
                caller.workspace_id,
                query.by.value,
                since,
                until,
                label=query.label or "",
                cursor=query.cursor,
                limit=query.limit,
            )
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return costs_of(page, since, until)

    @router.get("/recommendations", operation_id="listRecommendations")
    async def recommendations(caller: Reader) -> RecommendationList:
        """What could go better in the workspace."""
        return recommendations_of(await engine.recommendations.listed(caller.workspace_id))

    return router


def _span(query: Span, now: datetime) -> tuple[date, date]:
    until = query.until or now.astimezone(UTC).date()
    # Before that there is nothing, and a day before the first of the calendar cannot be said.
    return query.since or max(until, _FIRST + timedelta(_DAYS)) - timedelta(days=_DAYS - 1), until
