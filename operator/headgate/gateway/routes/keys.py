"""API keys. Only who manages them sees them."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, Security

from headgate.domain.api_keys import SCOPES, Scope, excess
from headgate.engine import api_keys
from headgate.engine.api_keys import ApiKeys
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.base import PageQuery
from headgate.gateway.models.keys import CreateKey, Key, KeyList, NewKey, key_of, list_of, new_key_of
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE


def key_routes(keys: ApiKeys, access: Access) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=f"{WORKSPACE}/keys", tags=["keys"])
    Manager = Annotated[Caller, Security(access.caller, scopes=[Scope.KEYS_MANAGE])]  # noqa: N806 - a type

    @router.post("", operation_id="createKey", status_code=HTTPStatus.CREATED)
    async def create(body: CreateKey, caller: Manager, request: Request, response: Response) -> NewKey:
        """Make a key. The answer holds it this once.

        Nobody makes a key that may do more, or lives longer, than what they call with.
        """
        scopes = SCOPES[body.role] & frozenset(body.scopes) if body.scopes is not None else SCOPES[body.role]
        async with access.recording(caller, request):
            _within(caller, body, scopes)
        wanted = api_keys.NewKey(body.name, body.role, caller.subject, scopes, body.expires_at)
        try:
            issued = await keys.issue(caller.workspace_id, wanted, caller.actor)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        response.headers["Cache-Control"] = "no-store"
        return new_key_of(issued)

    @router.get("", operation_id="listKeys")
    async def listed(query: Annotated[PageQuery, Query()], caller: Manager) -> KeyList:
        """List keys, the newest first."""
        try:
            page = await keys.list(caller.workspace_id, query.cursor, query.limit)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return list_of(page)

    @router.delete("/{key_id}", operation_id="revokeKey")
    async def revoke(key_id: UUID, caller: Manager) -> Key:
        """Revoke a key: within a second it is good nowhere any more. Once more changes nothing."""
        view = await keys.revoke(caller.workspace_id, key_id, caller.subject, caller.actor)
        if view is None:
            raise Problem(HTTPStatus.NOT_FOUND, "the workspace has no such key")
        return key_of(view)

    return router


def _within(caller: Caller, body: CreateKey, scopes: frozenset[Scope]) -> None:
    """Raises ``Problem`` 403 for a key beyond the caller's own."""
    if beyond := excess(scopes, caller.scopes):
        detail = f"you do not have the scope {beyond[0]} yourself: name scopes that you have"
        raise Problem(HTTPStatus.FORBIDDEN, detail)
    if caller.expires_at is not None and (body.expires_at is None or body.expires_at > caller.expires_at):
        detail = f"set expiresAt to {caller.expires_at.isoformat()} or earlier, when the key ends by which you call"
        raise Problem(HTTPStatus.FORBIDDEN, detail)
