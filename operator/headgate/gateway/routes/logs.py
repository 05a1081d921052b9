"""Logs of attempts, from where they are kept."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response, Security

from headgate.domain.api_keys import Scope
from headgate.domain.spread import node_of
from headgate.engine.engine import Engine
from headgate.engine.types import StepLog
from headgate.gateway.access import Access, Standing
from headgate.gateway.live_logs import LiveLogs
from headgate.gateway.log_feed import LogFeed, LogReader, elsewhere, not_kept
from headgate.gateway.models.base import Number
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE, Step
from headgate.gateway.routes.runs import known_run
from headgate.gateway.stored import PLAIN, begun
from headgate.gateway.streams import Place, Stream, Streams
from headgate.objects.object_store import ObjectStore

MEDIA_TYPE = "text/plain"
NO_LOG = "NoLog"
"""Why there is none, and none to come: the node is decided, called or approved, and no pod writes anything for it."""
_LOG: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the attempt wrote.",
        "headers": {
            "Headgate-Log-Truncated": {
                "description": "true where the middle was left out, as a line in it says.",
                "schema": {"type": "boolean"},
            }
        },
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": "extracting 2025-10-31\n7 rows\n"}},
    }
}


def log_routes(
    engine: Engine, access: Access, streams: Streams, objects: ObjectStore | None, live: LiveLogs | None
) -> APIRouter:
    """The routes. Without ``objects`` no log that is kept can be had here, without ``live`` none of what runs."""
    router = APIRouter(prefix=WORKSPACE, tags=["runs"])
    Reader = Annotated[Standing, Security(access.standing, scopes=[Scope.RUNS_READ])]  # noqa: N806 - a type

    @router.get("/runs/{run_id}/steps/{step}/log", operation_id="getLog", response_class=Response, responses=_LOG)
    async def log(
        run_id: UUID,
        step: Step,
        reader: Reader,
        *,
        attempt: Annotated[Number | None, Query(description="The attempt; the latest when absent.")] = None,
        follow: Annotated[
            bool, Query(description="Send what the attempt writes as it does so, until it ends; wait for it to begin.")
        ] = False,
    ) -> Response:
        """What an attempt of a node wrote, once it has ended: its log is kept then, head and tail of a long one.

        With ``follow`` the answer begins at once, and what the attempt writes comes as it is written, all of it. A line
        that begins with ``headgate:`` says where something had to be sent twice, or will not come.
        """
        caller = reader.caller
        view = await known_run(engine, caller, run_id)
        if objects is None and not (follow and live is not None):
            raise elsewhere()
        kept = LogReader(objects)
        found = await engine.logs.of(caller.workspace_id, run_id, step, attempt)
        if found is not None and found.size is not None:
            return await whole(kept, found, streams.take_place(caller.workspace_id))
        if node_of(step) in await engine.logs.logless(caller.workspace_id, run_id):
            raise Problem(HTTPStatus.NOT_FOUND, f"node {step} has no log: it is not executed by a pod", reason=NO_LOG)
        if not follow:
            if found is None:
                raise Problem(HTTPStatus.NOT_FOUND, "the run has no such attempt of such a node, or none yet")
            raise not_kept("it comes when the attempt has ended, which follow=true waits for")
        if found is None and view.phase.is_final:
            raise Problem(HTTPStatus.NOT_FOUND, "the run has no such attempt of such a node, and is over")
        place = streams.take_place(caller.workspace_id)
        feed = LogFeed(
            engine, kept, caller.workspace_id, run_id, step, attempt, streams.news, place, reader.lasts, live
        )
        return Stream(feed.pieces(), place, media_type=MEDIA_TYPE, headers=PLAIN)

    async def whole(kept: LogReader, found: StepLog, place: Place) -> Response:
        headers = {**PLAIN, "Headgate-Log-Truncated": str(found.truncated).lower()}
        return await begun(kept.pieces(found), place, media_type=MEDIA_TYPE, headers=headers)

    return router
