"""Lets a route ask for a caller who may do something, and says in the OpenAPI document what that takes."""

# Annotations are evaluated where they stand: FastAPI reads them.

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from headgate.domain.api_keys import Scope
from headgate.gateway.callers import Caller, Callers, Visitor
from headgate.gateway.problems import Problem
from headgate.gateway.rate_limits import RateLimits
from headgate.gateway.refused_calls import RefusedCalls
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

BEARER = HTTPBearer(
    scheme_name="bearer",
    description="An API key (`hg_...`), or a token of a Kubernetes ServiceAccount or of an OpenID Connect provider "
    "that is made for the audience `headgate`, of a member of the Workspace. The names beside it are scopes.",
    auto_error=False,
)


@dataclass(frozen=True)
class Standing:
    """Somebody who calls for longer than a moment."""

    caller: Caller
    lasts: Callable[[], Awaitable[bool]]
    """Whether they still may what they might when they came. What cannot be told counts as no."""


class Access:
    """Who may use a route."""

    def __init__(self, callers: Callers, limits: RateLimits, refused: RefusedCalls) -> None:
        self._callers = callers
        self._limits = limits
        self._refused = refused

    async def caller(
        self,
        request: Request,
        workspace: str,
        security_scopes: SecurityScopes,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
    ) -> Caller:
        """Who calls, having all scopes that the route asks for. Raises ``Problem`` like ``Callers``, 429 and 403."""
        found = await self._callers.caller(_token(credentials), workspace, _address(request))
        # Before the scopes: a member's calls count, whatever becomes of them, and nobody else's do.
        await self._limits.count(found.workspace_id, found.subject, request)
        async with self.recording(found, request):
            _require(found, security_scopes)
        return found

    @asynccontextmanager
    async def recording(self, caller: Caller, request: Request) -> AsyncIterator[None]:
        """Has the caller's being refused meanwhile, by ``Problem`` 403, in the audit log."""
        try:
            yield
        except Problem as problem:
            if problem.status is HTTPStatus.FORBIDDEN:
                call = f"{request.method} {request.url.path}"
                await self._refused.note(caller.workspace_id, caller.actor, call, problem.detail)
            raise

    async def standing(
        self,
        request: Request,
        workspace: str,
        security_scopes: SecurityScopes,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
    ) -> Standing:
        """``caller``, for a route whose answer lasts. It is one call, however long it lasts."""

        async def lasts() -> bool:
            try:
                now = await self._callers.caller(_token(credentials), workspace)
                _require(now, security_scopes)
            except (Problem, DatabaseUnavailable, DatabaseNotMigrated):
                return False
            return now.workspace_id == caller.workspace_id

        caller = await self.caller(request, workspace, security_scopes, credentials)
        return Standing(caller, lasts)

    async def visitor(
        self, request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None
    ) -> Visitor:
        """Who calls, before any workspace is named. Raises ``Problem`` like ``Callers``, and 429."""
        found = await self._callers.visitor(_token(credentials), _address(request))
        if found.workspace_id is not None:
            await self._limits.count(found.workspace_id, found.subject, request)
        return found


def _token(credentials: HTTPAuthorizationCredentials | None) -> str | None:
    return credentials.credentials if credentials is not None else None


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _require(caller: Caller, security_scopes: SecurityScopes) -> None:
    for scope in security_scopes.scopes:
        caller.require(Scope(scope))
