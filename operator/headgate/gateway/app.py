"""The gateway's application, put together from what it is given."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Route

from headgate.domain.runner_protocol import ARTIFACT_PATH, REQUEST_BYTES
from headgate.domain.webhooks import BODY_BYTES
from headgate.gateway import api, hooks
from headgate.gateway.api import DOCUMENT_PATH, api_routes, document
from headgate.gateway.artifact_uploads import artifact_routes
from headgate.gateway.hooks import hook_routes
from headgate.gateway.limits import BodyLimit
from headgate.gateway.metrics import CallCounts, GatewayMetrics, HookMetrics, Measured
from headgate.gateway.problems import answer_with_problems
from headgate.gateway.rate_limits import RateLimitFields, RateLimits
from headgate.gateway.refusals import Refusals
from headgate.gateway.refused_calls import RefusedCalls
from headgate.gateway.routes.paths import API
from headgate.gateway.runners import runner_routes
from headgate.gateway.ties import Ties


def gateway(ties: Ties) -> FastAPI:
    """The application."""
    metrics = GatewayMetrics.register(ties.registry)
    ties.registry.register(CallCounts(ties.limits))
    rates = RateLimits(ties.limits, metrics)
    app = FastAPI(title="Headgate", docs_url=None, redoc_url=None, openapi_url=None)
    # A path with one slash more is no route: who followed such a redirect would send the token to wherever the request
    # seems to have come from, which behind a proxy is an address without TLS.
    app.router.redirect_slashes = False
    answer_with_problems(app)
    # First of all routes: they are looked through in this order, for every request.
    app.router.routes += _runners(ties)
    _include_with_document(app, _api(ties, rates))
    app.router.routes += _alone(_hooks(ties, rates))
    larger = {f"{API}/": api.REQUEST_BYTES, f"{hooks.PREFIX}/": BODY_BYTES}
    app.add_middleware(BodyLimit, limit=REQUEST_BYTES, larger=larger, streamed=ARTIFACT_PATH)
    app.add_middleware(RateLimitFields)
    app.add_middleware(Measured, metrics=metrics)
    return app


def _runners(ties: Ties) -> list[Route]:
    """What runners call."""
    files = artifact_routes(ties.engine.left_files, ties.authenticator, ties.objects, most_bytes=ties.artifact_bytes)
    return files + runner_routes(
        ties.engine.runner_tasks,
        ties.engine.credentials,
        ties.engine.cursors,
        ties.authenticator,
        lease=ties.lease,
        wall=ties.wall,
        heard=ties.tell,
        room=ties.room,
    )


def _api(ties: Ties, rates: RateLimits) -> APIRouter:
    """What people and programs call."""
    return api_routes(
        ties.engine,
        ties.callers,
        rates,
        ties.streams,
        ties.objects,
        ties.live,
        refused=RefusedCalls(ties.engine.audit, ties.monotonic),
        wall=ties.wall,
        heard=ties.tell,
        waiters=ties.room.of,
    )


def _include_with_document(app: FastAPI, routes: APIRouter) -> None:
    """Have the routes, and one more that gives their description."""
    described = document(routes)
    app.router.routes += _alone(routes)

    @app.get(DOCUMENT_PATH)
    async def openapi() -> dict[str, Any]:
        return described


def _alone(router: APIRouter) -> list[BaseRoute]:
    """Its routes, and those of the routers in it, each by itself: what including adds to them is for the document.

    The framework holds a request against what was included anew on each level.
    """
    return [context.original_route for context in iter_route_contexts(router.routes)]


def _hooks(ties: Ties, rates: RateLimits) -> APIRouter:
    """What other systems send to."""
    return hook_routes(
        ties.engine,
        rates,
        ties.refusals or Refusals(ties.engine.webhooks),
        HookMetrics.register(ties.registry),
        wall=ties.wall,
        heard=ties.tell,
        refusal_seconds=ties.refusal_seconds,
    )
