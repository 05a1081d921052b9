"""The workspaces that somebody belongs to, and what one uses."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from typing import Annotated

from fastapi import APIRouter, Query, Security

from headgate.domain.api_keys import Scope
from headgate.engine.plan_use import PlanUse
from headgate.engine.workspaces import Workspaces
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller, Visitor, unknown_workspace
from headgate.gateway.models.base import PageQuery
from headgate.gateway.models.workspaces import (
    Usage,
    WorkspaceInfo,
    WorkspaceList,
    item_of,
    usage_of,
    workspace_of,
)
from headgate.gateway.routes.paths import WORKSPACE, WORKSPACES


def workspace_routes(workspaces: Workspaces, access: Access) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["workspaces"])
    Anyone = Annotated[Caller, Security(access.caller)]  # noqa: N806 - a type
    Reader = Annotated[Caller, Security(access.caller, scopes=[Scope.USAGE_READ])]  # noqa: N806 - a type

    @router.get(WORKSPACES, operation_id="listWorkspaces")
    async def listed(
        query: Annotated[PageQuery, Query()], visitor: Annotated[Visitor, Security(access.visitor)]
    ) -> WorkspaceList:
        """List the workspaces that the caller belongs to, by name: a key has its own one, a user those that name them.

        One that somebody was just made a member of, or taken off, may take 5 seconds to come or to go.
        """
        names = [name for name in visitor.roles if query.cursor is None or name > query.cursor][: query.limit]
        recorded = await workspaces.recorded(names) if names else ()
        more = names[-1] if len(names) == query.limit else None
        return WorkspaceList(items=tuple(item_of(one, visitor.roles[one.name]) for one in recorded), next_cursor=more)

    @router.get(WORKSPACE, operation_id="getWorkspace")
    async def get(caller: Anyone) -> WorkspaceInfo:
        """The workspace, and what the caller may do in it."""
        return workspace_of(await used(caller), caller)

    @router.get(f"{WORKSPACE}/usage", operation_id="getUsage")
    async def usage(caller: Reader) -> Usage:
        """What the workspace uses of its plan right now."""
        return usage_of(await used(caller))

    async def used(caller: Caller) -> PlanUse:
        found = await workspaces.usage_of(caller.workspace_id)
        if found is None:
            raise unknown_workspace()
        return found

    return router
