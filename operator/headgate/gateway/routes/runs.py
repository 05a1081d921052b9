"""Runs: start, get and list them."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Header, Query, Request, Response, Security
from fastapi.security import SecurityScopes
from pydantic import TypeAdapter, ValidationError

from headgate.domain.api_keys import Scope
from headgate.engine.engine import Engine
from headgate.engine.starting.handing import Waiters
from headgate.engine.types import Effects, Refused, RunFilter, RunRequest, RunView, TriggerKind
from headgate.gateway.access import BEARER, Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.run_requests import RunQuery, StartRun
from headgate.gateway.models.runs import Run, RunList, list_of, run_of
from headgate.gateway.problems import Problem
from headgate.gateway.quick_route import json_response, quick_route, read_body
from headgate.gateway.routes.paths import WORKSPACE

_MISSING = frozenset({"WorkflowNotFound"})
_LATER = frozenset({"DailyLimit", "Budget", "ConcurrencyLimit", "StorageLimit", "TestLimit", "Queued"})
_HELD = frozenset({"Suspended", "WorkflowSuspended", "CircuitOpen", "UnreadableVersion", "Cancelled"})

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Makes the request unique in the workspace for ever: the same key gives the same run again.",
    ),
]
_KEY: TypeAdapter[str | None] = TypeAdapter(IdempotencyKey)
_WRITING = SecurityScopes([Scope.RUNS_WRITE])


def run_routes(
    engine: Engine,
    access: Access,
    *,
    wall: Callable[[], datetime],
    heard: Callable[[str, Effects], None],
    waiters: Callable[[str], Waiters],
) -> APIRouter:
    """The routes. ``heard`` is told the workspace and the effects of every transaction.

    ``waiters`` gives the requests of a workspace's runners that wait here.
    """
    router = APIRouter(prefix=f"{WORKSPACE}/runs", tags=["runs"])
    Reader = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_READ])]  # noqa: N806 - a type
    Writer = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_WRITE])]  # noqa: N806 - a type

    async def start(body: StartRun, caller: Writer, response: Response, idempotency_key: IdempotencyKey = None) -> Run:
        """Start a run.

        Where the workspace has no room for it, the run is Pending and says why, or is refused with 429, as the plan has
        it; Test and Debug runs never wait, and five of them are under way at most. Send an Idempotency-Key, so that a
        request that may have got lost can be repeated.
        """
        request = _request(body, caller, idempotency_key or str(uuid4()))
        answer, effects = await engine.admit(request, waiters(caller.workspace))
        heard(caller.workspace, effects)
        if isinstance(answer, Refused):
            raise refusal(answer, wall())
        view = answer.view or await known_run(engine, caller, answer.run_id)
        if (view.namespace, view.workflow) != (request.namespace, request.workflow):
            detail = f"this Idempotency-Key made run {view.run_id} of workflow {view.workflow}: take a new one"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, reason="IdempotencyKeyUsed")
        if answer.duplicate:
            response.status_code = HTTPStatus.OK
        response.headers["Location"] = f"{WORKSPACE.format(workspace=caller.workspace)}/runs/{view.run_id}"
        return run_of(view)

    async def start_quickly(request: Request) -> Response | None:
        """Start a run if the request is what it should be."""
        if (body := await read_body(request, StartRun)) is None:
            return None
        try:
            key = _KEY.validate_python(request.headers.get("idempotency-key"))
        except ValidationError:
            return None
        caller = await access.caller(request, request.path_params["workspace"], _WRITING, await BEARER(request))
        response = Response(status_code=HTTPStatus.CREATED)
        return json_response(await start(body, caller, response, key), response)

    router.add_api_route(
        "",
        start,
        methods=["POST"],
        operation_id="startRun",
        status_code=HTTPStatus.CREATED,
        responses={200: {"model": Run, "description": "The run that an earlier request with this key made."}},
        route_class_override=quick_route(start_quickly),
    )

    @router.get("", operation_id="listRuns")
    async def listed(query: Annotated[RunQuery, Query()], caller: Reader) -> RunList:
        """List runs, the newest first."""
        workflow = (query.namespace or caller.workspace, query.workflow) if query.workflow is not None else None
        labels = tuple((key, value) for key, _, value in (label.partition("=") for label in query.label))
        filters = RunFilter(frozenset(query.status), workflow, query.since, query.until, labels)
        try:
            page = await engine.list_runs(caller.workspace_id, filters, query.cursor, query.limit)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return list_of(page)

    @router.get("/{run_id}", operation_id="getRun")
    async def get(run_id: UUID, caller: Reader) -> Run:
        """A run with its nodes, and why it does not go on."""
        return run_of(await known_run(engine, caller, run_id))

    return router


async def known_run(engine: Engine, caller: Caller, run_id: UUID) -> RunView:
    """The run of the caller's workspace. Raises ``Problem`` 404 where there is none."""
    view = await engine.run_view(caller.workspace_id, run_id)
    if view is None:
        raise Problem(HTTPStatus.NOT_FOUND, "the workspace has no such run")
    return view


def _request(body: StartRun, caller: Caller, key: str) -> RunRequest:
    return RunRequest(
        workspace_id=caller.workspace_id,
        namespace=body.namespace or caller.workspace,
        workflow=body.workflow,
        kind=TriggerKind.API,
        key=f"api:{key}",
        trigger=body.trigger,
        inputs=body.inputs,
        version=body.version,
        mode=body.mode,
        debug=body.debug,
        priority=body.priority,
        replay_of=body.replay_of,
        labels=body.labels,
        by=caller.actor,
    )


def refusal(refused: Refused, now: datetime) -> Problem:
    """A refusal as it is answered. Nothing was recorded, so that the same request may succeed later."""
    headers = {}
    if refused.reason in _MISSING:
        status = HTTPStatus.NOT_FOUND
    elif refused.reason in _LATER:
        status = HTTPStatus.TOO_MANY_REQUESTS
        if refused.until is not None:
            headers["Retry-After"] = str(max(1, -((now - refused.until) // timedelta(seconds=1))))
    else:
        status = HTTPStatus.CONFLICT if refused.reason in _HELD else HTTPStatus.UNPROCESSABLE_ENTITY
    return Problem(status, refused.message, headers, reason=refused.reason)
