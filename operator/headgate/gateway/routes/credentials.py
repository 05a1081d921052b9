"""Credentials. Only who manages them sees that they are there, and nobody sees what they hold."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response, Security

from headgate.domain.api_keys import Scope
from headgate.domain.credentials import CredentialInvalid, Values
from headgate.engine.credentials.credentials import Credentials
from headgate.engine.credentials.types import CredentialConflict
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.base import ObjectName
from headgate.gateway.models.credentials import (
    Credential,
    CredentialList,
    ExpectedVersion,
    PutCredential,
    Rotated,
    credential_of,
    rotated_of,
)
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE

Version = Annotated[
    ExpectedVersion,
    Query(description="The version that it must have, and 0 for none: 409 otherwise, and nothing is changed."),
]


def credential_routes(credentials: Credentials, access: Access) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=f"{WORKSPACE}/credentials", tags=["credentials"])
    Manager = Annotated[Caller, Security(access.caller, scopes=[Scope.CREDENTIALS_MANAGE])]  # noqa: N806 - a type

    @router.get("", operation_id="listCredentials")
    async def listed(caller: Manager) -> CredentialList:
        """List all credentials by name, which are 500 at most. Their values are never told."""
        found = await credentials.list(caller.workspace_id)
        return CredentialList(items=tuple(credential_of(view) for view in found))

    @router.put("/{name}", operation_id="putCredential")
    async def put(name: ObjectName, body: PutCredential, caller: Manager, version: Version = None) -> Credential:
        """Create or replace a credential, with all its values, in the caller's name."""
        try:
            values = Values({key: value.get_secret_value() for key, value in body.values.items()})
            view = await credentials.put(
                caller.workspace_id,
                name,
                body.kind,
                values,
                by=caller.subject,
                expected=version,
                actor=caller.actor,
            )
        except CredentialInvalid as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        except CredentialConflict as error:
            raise Problem(HTTPStatus.CONFLICT, str(error), reason="VersionConflict") from None
        return credential_of(view)

    @router.delete("/{name}", operation_id="deleteCredential", status_code=HTTPStatus.NO_CONTENT)
    async def delete(name: ObjectName, caller: Manager, version: Version = None) -> Response:
        """Delete a credential. The record of who was given it stays."""
        try:
            deleted = await credentials.delete(caller.workspace_id, name, expected=version, actor=caller.actor)
        except CredentialConflict as error:
            raise Problem(HTTPStatus.CONFLICT, str(error), reason="VersionConflict") from None
        if not deleted:
            raise Problem(HTTPStatus.NOT_FOUND, "the workspace has no such credential")
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.post("/rotate", operation_id="rotateCredentials")
    async def rotate(caller: Manager) -> Rotated:
        """Seal all credentials under a new data key. Versions stay, and nodes are given values throughout.

        May be repeated at any time: what was not sealed anew lies under its old key until then.
        """
        return rotated_of(await credentials.rotate_data_key(caller.workspace_id, caller.actor))

    return router
