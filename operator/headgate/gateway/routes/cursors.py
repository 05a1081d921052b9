"""How far copies between systems have come. Runs move cursors; people look, and have a copy begin anew."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Security

from headgate.domain.api_keys import Scope
from headgate.domain.sync import CursorName
from headgate.engine.sync.cursors import SyncCursors
from headgate.engine.sync.types import CursorHeld
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.base import Namespace, ObjectName, PageQuery
from headgate.gateway.models.cursors import CopyCursorDetail, CopyCursorList, cursor_of, cursors_of
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE, Step


def cursor_routes(cursors: SyncCursors, access: Access) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=f"{WORKSPACE}/cursors", tags=["copies"])
    Reader = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_READ])]  # noqa: N806 - a type
    Writer = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_WRITE])]  # noqa: N806 - a type

    @router.get("", operation_id="listCursors")
    async def listed(query: Annotated[PageQuery, Query()], caller: Reader) -> CopyCursorList:
        """List how far copies have come, by namespace, workflow and node, without where they stand."""
        try:
            page = await cursors.list(caller.workspace_id, query.cursor, query.limit)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return cursors_of(page)

    @router.get("/{namespace}/{name}/{step}", operation_id="getCursor")
    async def get(namespace: Namespace, name: ObjectName, step: Step, caller: Reader) -> CopyCursorDetail:
        """How far the copy of a node of that workflow has come, and where it stands."""
        found = await cursors.get(caller.workspace_id, CursorName(namespace, name, step))
        if found is None:
            raise _missing()
        return cursor_of(found)

    @router.delete("/{namespace}/{name}/{step}", operation_id="resetCursor")
    async def reset(namespace: Namespace, name: ObjectName, step: Step, caller: Writer) -> CopyCursorDetail:
        """Forget how far a copy has come: the next one begins at the beginning. What is in its target stays.

        The answer is the cursor as it was. 409 while an attempt copies; a run whose copy has not begun, or waits to be
        tried again, begins anew as well.
        """
        try:
            was = await cursors.reset(caller.workspace_id, CursorName(namespace, name, step), caller.actor)
        except CursorHeld as error:
            raise Problem(HTTPStatus.CONFLICT, str(error), reason="CursorHeld") from None
        if was is None:
            raise _missing()
        return cursor_of(was)

    return router


def _missing() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "no copy of such a node has begun")
