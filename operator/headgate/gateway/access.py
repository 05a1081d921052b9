"""Lets a route ask for a caller who may do something, and says in the OpenAPI document what that takes."""

# Annotations are evaluated where they stand: FastAPI reads them.

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from headgate.domain.api_keys import Scope
from headgate.gateway.callers import Caller, Callers, Visitor
from headgate.gateway.problems import Problem
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

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def caller(
        self,
        workspace: str,
        security_scopes: SecurityScopes,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
    ) -> Caller:
        """Who calls, having all scopes that the route asks for. Raises ``Problem`` like ``Callers``, and 403."""
        token = credentials.credentials if credentials is not None else None
        found = await self._callers.caller(token, workspace)
        for scope in security_scopes.scopes:
            found.require(Scope(scope))
        return found

    async def standing(
        self,
        workspace: str,
        security_scopes: SecurityScopes,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
    ) -> Standing:
        """``caller``, for a route whose answer lasts."""

        async def lasts() -> bool:
            try:
                now = await self.caller(workspace, security_scopes, credentials)
            except (Problem, DatabaseUnavailable, DatabaseNotMigrated):
                return False
            return now.workspace_id == caller.workspace_id

        caller = await self.caller(workspace, security_scopes, credentials)
        return Standing(caller, lasts)

    async def visitor(
        self, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None
    ) -> Visitor:
        """Who calls, before any workspace is named. Raises ``Problem`` like ``Callers``."""
        return await self._callers.visitor(credentials.credentials if credentials is not None else None)
