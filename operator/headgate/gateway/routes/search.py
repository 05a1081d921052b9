"""Looks for words."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Query, Request, Security

from headgate.domain.api_keys import Scope
from headgate.domain.search import SearchKind
from headgate.engine.reading.search import Search
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.search import SearchHits, SearchQuery, hits_of
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE

# Beside what the route itself takes: who may not read a list finds nothing of it either.
_FURTHER: Mapping[SearchKind, Scope] = MappingProxyType(
    {SearchKind.WORKFLOW: Scope.WORKFLOWS_READ, SearchKind.RECOMMENDATION: Scope.USAGE_READ}
)


def search_routes(search: Search, access: Access) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=WORKSPACE, tags=["search"])
    Reader = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_READ])]  # noqa: N806 - a type

    @router.get("/search", operation_id="search")
    async def find(query: Annotated[SearchQuery, Query()], caller: Reader, request: Request) -> SearchHits:
        """Find runs by their errors, workflows, or recommendations.

        Workflows take the scope workflows:read besides, and recommendations usage:read.
        """
        async with access.recording(caller, request):
            if query.kind in _FURTHER:
                caller.require(_FURTHER[query.kind])
        try:
            found = await search.find(caller.workspace_id, query.kind, query.q, query.cursor, query.limit)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return hits_of(found)

    return router
