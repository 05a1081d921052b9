"""The public API: all its routes, and the OpenAPI document that describes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from headgate.engine.engine import Engine
from headgate.engine.starting.handing import Waiters
from headgate.engine.types import Effects
from headgate.gateway.access import Access
from headgate.gateway.callers import Callers
from headgate.gateway.live_logs import LiveLogs
from headgate.gateway.models.events import EVENTS
from headgate.gateway.problems import MEDIA_TYPE, REFUSALS, ProblemDetails
from headgate.gateway.rate_limits import FIELDS, RateLimits
from headgate.gateway.refused_calls import RefusedCalls
from headgate.gateway.routes.analytics import analytics_routes
from headgate.gateway.routes.approvals import approval_routes
from headgate.gateway.routes.artifacts import artifact_routes
from headgate.gateway.routes.audit import audit_routes
from headgate.gateway.routes.credentials import credential_routes
from headgate.gateway.routes.cursors import cursor_routes
from headgate.gateway.routes.events import event_routes
from headgate.gateway.routes.keys import key_routes
from headgate.gateway.routes.logs import log_routes
from headgate.gateway.routes.paths import API, VERSION
from headgate.gateway.routes.runs import run_routes
from headgate.gateway.routes.search import search_routes
from headgate.gateway.routes.steering import steering_routes
from headgate.gateway.routes.webhooks import webhook_routes
from headgate.gateway.routes.workflows import workflow_routes
from headgate.gateway.routes.workspaces import workspace_routes
from headgate.gateway.streams import Streams
from headgate.objects.object_store import ObjectStore

DOCUMENT_PATH = f"{API}/openapi.json"
REQUEST_BYTES = 262_144
"""A request has at most that many: inputs of 64 KiB, and what encoding may add to them."""
_DESCRIPTION = (
    "Starts, shows and steers the runs of a workspace, and shows its workflows and what it uses. What should be is "
    "said in Kubernetes: this API changes no Workspace, Quota or Workflow. Errors are problem details (RFC 9457) that "
    "say what to change. Lists are read page by page: `nextCursor` of one is the `cursor` of the next."
)
_REFERENCE = "#/components/schemas/{model}"
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
_FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")


def api_routes(
    engine: Engine,
    callers: Callers,
    limits: RateLimits,
    streams: Streams,
    objects: ObjectStore | None,
    live: LiveLogs | None,
    *,
    refused: RefusedCalls,
    wall: Callable[[], datetime],
    heard: Callable[[str, Effects], None],
    waiters: Callable[[str], Waiters],
) -> APIRouter:
    """All routes. ``heard`` is told the workspace and the effects of every transaction.

    ``waiters`` gives the requests of a workspace's runners that wait here.
    """
    access = Access(callers, limits, refused)
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": ProblemDetails, "description": text} for status, text in REFUSALS.items()
    }
    router = APIRouter(responses=refusals)
    for routes in (
        workspace_routes(engine.workspaces, access),
        analytics_routes(engine, access, wall=wall),
        search_routes(engine.search, access),
        run_routes(engine, access, wall=wall, heard=heard, waiters=waiters),
        steering_routes(engine, access, wall=wall, heard=heard),
        approval_routes(engine, access, heard=heard),
        event_routes(engine, access, streams),
        log_routes(engine, access, streams, objects, live),
        artifact_routes(engine, access, streams, objects),
        workflow_routes(engine.versions, access),
        webhook_routes(engine, access, heard=heard),
        cursor_routes(engine.cursors, access),
        key_routes(engine.api_keys, access),
        credential_routes(engine.credentials, access),
        audit_routes(engine.audit, access),
    ):
        router.include_router(routes)
    return router


def document(router: APIRouter) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the routes."""
    made = get_openapi(
        title="Headgate",
        version=VERSION,
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        routes=router.routes,
    )
    responses = made["components"].setdefault("responses", {})
    made["components"]["headers"] = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in FIELDS.items()
    }
    told = {name: {"$ref": f"#/components/headers/{name}"} for name in FIELDS}
    for operations in made["paths"].values():
        for operation in operations.values():
            # The framework takes it from the name of a function, which says less than the description.
            operation.pop("summary", None)
            for status, response in operation["responses"].items():
                if int(status) in REFUSALS:
                    if int(status) == HTTPStatus.TOO_MANY_REQUESTS:
                        response["headers"] = _RETRY_AFTER
                    name = HTTPStatus(int(status)).phrase.title().replace(" ", "")
                    response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
                    responses[name] = response
                    operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
                elif "security" in operation:
                    response["headers"] = told
    # They are told of in words only, since a stream is a text to the framework.
    _, events = models_json_schema([(model, "serialization") for model in EVENTS], ref_template=_REFERENCE)
    for name, schema in events["$defs"].items():
        made["components"]["schemas"].setdefault(name, schema)
    for name in _FRAMEWORKS_OWN:
        made["components"]["schemas"].pop(name, None)
    _close(made["components"]["schemas"])
    return made


def _close(node: Any) -> None:
    """Says of maps whose keys have a form that they have no others, which is so, and the framework does not tell.

    What only the API server of Kubernetes reads of a model that both know is left out.
    """
    if isinstance(node, dict):
        if node.pop("x-kubernetes-preserve-unknown-fields", False):
            node.pop("nullable", None)
        for name in [name for name in node if name.startswith("x-kubernetes-")]:
            del node[name]
        if "patternProperties" in node:
            node.setdefault("additionalProperties", False)
        for inner in node.values():
            _close(inner)
    elif isinstance(node, list):
        for inner in node:
            _close(inner)
