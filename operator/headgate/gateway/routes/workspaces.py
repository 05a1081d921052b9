"""A workspace, and what it uses."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from typing import Annotated

from fastapi import APIRouter, Security

from headgate.domain.api_keys import Scope
from headgate.engine.engine import Engine
from headgate.engine.plan_use import PlanUse
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller, unknown_workspace
from headgate.gateway.models.workspaces import Usage, WorkspaceInfo, usage_of, workspace_of
from headgate.gateway.routes.paths import WORKSPACE


def workspace_routes(engine: Engine, access: Access) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=WORKSPACE, tags=["workspaces"])
    Anyone = Annotated[Caller, Security(access.caller)]  # noqa: N806 - a type
    Reader = Annotated[Caller, Security(access.caller, scopes=[Scope.USAGE_READ])]  # noqa: N806 - a type

    @router.get("", operation_id="getWorkspace")
    async def get(caller: Anyone) -> WorkspaceInfo:
        """The workspace, and what the caller may do in it."""
        return workspace_of(await used(caller), caller)

    @router.get("/usage", operation_id="getUsage")
    async def usage(caller: Reader) -> Usage:
        """What the workspace uses of its plan right now."""
        return usage_of(await used(caller))

    async def used(caller: Caller) -> PlanUse:
        found = await engine.usage_of(caller.workspace_id)
        if found is None:
            raise unknown_workspace()
        return found

    return router
