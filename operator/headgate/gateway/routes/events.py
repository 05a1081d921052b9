"""What changes in runs, as it happens."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Response, Security

from headgate.domain.api_keys import Scope
from headgate.domain.change_position import NotAPosition, Position, parse_position
from headgate.engine.engine import Engine
from headgate.engine.reading.run_changes import Changes
from headgate.gateway.access import Access, Standing
from headgate.gateway.event_feed import MEDIA_TYPE, Feed
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE
from headgate.gateway.routes.runs import known_run
from headgate.gateway.streams import Stream, Streams

LastEventId = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=64,
        description="The ``id`` of the last event that was received: the stream goes on behind it.",
    ),
]
_EXAMPLE = """retry: 2000

id: 90211-4711-1773144000
event: run
data: {"runId":"019cd7a1-4c00-7000-8000-000000000001","phase":"Running","reason":"","changedAt":"2026-03-10T12:00:00Z"}

id: 90215-4713-1773144002
event: step
data: {"runId":"019cd7a1-4c00-7000-8000-000000000001","node":"extract","attempt":1,"phase":"Running","reason":"",\
"logKept":false,"changedAt":"2026-03-10T12:00:02Z"}

: still here

"""
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The events, until the reader goes.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


def event_routes(engine: Engine, access: Access, streams: Streams) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=WORKSPACE, tags=["events"])
    Reader = Annotated[Standing, Security(access.standing, scopes=[Scope.RUNS_READ])]  # noqa: N806 - a type

    @router.get("/events", operation_id="followRuns", response_class=Response, responses=_STREAM)
    async def of_workspace(reader: Reader, last_event_id: LastEventId = None) -> Response:
        """Follow all runs of the workspace from now on, or from behind the Last-Event-ID, as Server-Sent Events.

        The event ``run`` tells of a run (RunEvent), ``step`` of an attempt (StepEvent), each change once and in the
        order in which they happened; ``open`` says from where it goes on, and ``lost`` (LostEvent) that changes before
        the next one are not kept any more: that is a day. A comment comes every 15 seconds or so while nothing happens.
        The stream ends with the event ``end`` (EndEvent) when the caller may not read it any more, and with none when
        the replica ends: connect again. Who leaves it unread for 20 seconds is cut off.
        """
        position = _position(last_event_id)
        if position is None:
            first = await engine.changes.present(reader.caller.workspace_id)
        else:
            first = await engine.changes.since(reader.caller.workspace_id, position)
        return follow(reader, first, run_id=None, ended=False)

    @router.get(
        "/runs/{run_id}/events",
        operation_id="followRun",
        response_class=Response,
        responses={
            **_STREAM,
            204: {"description": "The run is over, and there is nothing behind the Last-Event-ID: do not come again."},
        },
    )
    async def of_run(run_id: UUID, reader: Reader, last_event_id: LastEventId = None) -> Response:
        """Follow one run from its beginning, or from behind the Last-Event-ID, as Server-Sent Events.

        As of the whole workspace, and the event ``end`` comes when the run is over. One that is retried afterwards can
        be followed anew. What happened more than a day ago is not told: look at the run first.
        """
        position = _position(last_event_id)
        view = await known_run(engine, reader.caller, run_id)
        first = await engine.changes.since(reader.caller.workspace_id, position, run_id)
        return follow(reader, first, run_id=run_id, ended=view.phase.is_final, resumed=position is not None)

    def follow(
        reader: Standing, first: Changes, *, run_id: UUID | None, ended: bool, resumed: bool = False
    ) -> Response:
        place = streams.take_place(reader.caller.workspace_id)
        feed = Feed(
            engine.changes, reader.caller.workspace_id, run_id, streams.news, place, may_read=reader.lasts, ended=ended
        )
        if resumed and feed.is_over(first):
            place.leave()
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return Stream(feed.events(first), place, media_type=MEDIA_TYPE)

    return router


def _position(last_event_id: str | None) -> Position | None:
    try:
        return parse_position(last_event_id) if last_event_id is not None else None
    except NotAPosition as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"Last-Event-ID: {error}") from None
