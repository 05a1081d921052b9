"""The audit log. Owners read it, and nobody writes it but by what they do."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Security

from headgate.domain.api_keys import Scope
from headgate.engine.audit_log import Audit
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.audit import AuditList, AuditQuery, audit_of
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE


def audit_routes(audit: Audit, access: Access) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=f"{WORKSPACE}/audit", tags=["audit"])
    Auditor = Annotated[Caller, Security(access.caller, scopes=[Scope.AUDIT_READ])]  # noqa: N806 - a type

    @router.get("", operation_id="listAuditLog")
    async def listed(query: Annotated[AuditQuery, Query()], caller: Auditor) -> AuditList:
        """List who did what in the workspace, the newest first. Filters look through entries from the newest on.

        Archived entries are found too. Of those a page may be short, and its cursor goes on all the same.
        """
        try:
            page = await audit.list(caller.workspace_id, query.filters(), query.cursor, query.limit)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return audit_of(page)

    return router
