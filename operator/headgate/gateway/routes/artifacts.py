"""Files that attempts left, from where they are kept."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from base64 import b64encode
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response, Security

from headgate.domain.api_keys import Scope
from headgate.domain.artifacts import ELSEWHERE, NAME_PATTERN
from headgate.engine.engine import Engine
from headgate.engine.reading.artifacts import Artifact
from headgate.gateway.access import Access
from headgate.gateway.artifact_uploads import PIECE_BYTES
from headgate.gateway.callers import Caller
from headgate.gateway.models.artifacts import RunArtifactList, artifacts_of
from headgate.gateway.models.base import Number, PageQuery
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE, Step
from headgate.gateway.routes.runs import known_run
from headgate.gateway.stored import PLAIN, begun, stored
from headgate.gateway.streams import Place, Streams
from headgate.objects.object_store import ObjectStore

NOT_KEPT = "ArtifactNotKept"
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "headers": {
            "Content-Disposition": {
                "description": "That it is to be saved under its name, and not shown.",
                "schema": {"type": "string"},
            }
        },
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
Name = Annotated[str, Path(pattern=NAME_PATTERN, max_length=128, description="What the file is called.")]


def artifact_routes(engine: Engine, access: Access, streams: Streams, objects: ObjectStore | None) -> APIRouter:
    """The routes. Without ``objects`` no file can be had here."""
    router = APIRouter(prefix=f"{WORKSPACE}/runs/{{run_id}}/artifacts", tags=["runs"])
    Reader = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_READ])]  # noqa: N806 - a type

    @router.get("", operation_id="listArtifacts")
    async def listed(run_id: UUID, query: Annotated[PageQuery, Query()], caller: Reader) -> RunArtifactList:
        """List the files that attempts of the run left, by node, attempt and name."""
        await known_run(engine, caller, run_id)
        try:
            page = await engine.artifacts.list(caller.workspace_id, run_id, query.cursor, query.limit)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return artifacts_of(page)

    @router.get("/{step}/{name}", operation_id="getArtifact", response_class=Response, responses=_FILE)
    async def file(
        run_id: UUID,
        step: Step,
        name: Name,
        caller: Reader,
        *,
        attempt: Annotated[
            Number | None, Query(description="The attempt; the latest that left such a file when absent.")
        ] = None,
    ) -> Response:
        """A file that an attempt of a node left, byte for byte."""
        await known_run(engine, caller, run_id)
        found = await engine.artifacts.one(caller.workspace_id, run_id, step, name, attempt)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no attempt of such a node of the run left such a file")
        if objects is None:
            raise _elsewhere()
        return await _sent(objects, found, streams.take_place(caller.workspace_id))

    return router


async def _sent(objects: ObjectStore, found: Artifact, place: Place) -> Response:
    missing = Problem(HTTPStatus.NOT_FOUND, "the file is not in the object store any more", reason=NOT_KEPT)
    pieces = stored(objects, found.path, start=0, size=found.size, piece_bytes=PIECE_BYTES, missing=missing)
    headers = {
        **PLAIN,
        # The name is one that needs no other way to write it.
        "Content-Disposition": f'attachment; filename="{found.name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(found.sha256)).decode('ascii')}:",
    }
    return await begun(pieces, place, media_type=found.content_type, headers=headers)


def _elsewhere() -> Problem:
    detail = "the gateway has no access to the object store in which the file lies"
    return Problem(HTTPStatus.CONFLICT, detail, reason=ELSEWHERE)
