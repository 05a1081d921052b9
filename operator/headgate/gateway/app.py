"""The gateway's application, put together from what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.telemetry import TelemetryConfig
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from headgate.domain.runner_protocol import ARTIFACT_PATH, REQUEST_BYTES
from headgate.domain.webhooks import BODY_BYTES
from headgate.gateway import api, hooks
from headgate.gateway.api import DOCUMENT_PATH, api_routes, document
from headgate.gateway.artifact_uploads import artifact_routes
from headgate.gateway.hooks import hook_routes
from headgate.gateway.limits import BodyLimit
from headgate.gateway.messages import Messages
from headgate.gateway.metrics import CallCounts, GatewayMetrics, HookMetrics, Measured
from headgate.gateway.problems import answer_with_problems
from headgate.gateway.quick_route import QuickRoute
from headgate.gateway.rate_limits import RateLimitFields, RateLimits
from headgate.gateway.refusals import Refusals
from headgate.gateway.refused_calls import RefusedCalls
from headgate.gateway.routes.paths import API
from headgate.gateway.runners import runner_routes
from headgate.gateway.ties import Ties

_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""Nobody takes it, and the framework would look for somebody at every request."""


@dataclass(frozen=True)
class Gateway:
    """The application."""

    framework: FastAPI
    """Has all routes."""
    served: ASGIApp
    """All of it, from the outside."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self.served(scope, receive, send)


def gateway(ties: Ties) -> Gateway:
    """The application.

    What every request passes lies around the framework, which messages of runners never reach.
    """
    metrics = GatewayMetrics.register(ties.registry)
    ties.registry.register(CallCounts(ties.limits))
    rates = RateLimits(ties.limits, metrics)
    runners = _runners(ties)
    framework = _framework(ties, runners, rates)
    larger = {f"{API}/": api.REQUEST_BYTES, f"{hooks.PREFIX}/": BODY_BYTES}
    inner = Messages(runners, RateLimitFields(framework))
    bounded = BodyLimit(inner, limit=REQUEST_BYTES, larger=larger, streamed=ARTIFACT_PATH)
    return Gateway(framework, Measured(bounded, metrics=metrics))


def _framework(ties: Ties, runners: list[Route], rates: RateLimits) -> FastAPI:
    """All routes."""
    app = FastAPI(title="Headgate", docs_url=None, redoc_url=None, openapi_url=None, telemetry=_NO_TELEMETRY)
    # A path with one slash more is no route: who followed such a redirect would send the token to wherever the request
    # seems to have come from, which behind a proxy is an address without TLS.
    app.router.redirect_slashes = False
    answer_with_problems(app)
    _include_with_document(app, _api(ties, rates))
    app.router.routes += _alone(_hooks(ties, rates))
    # Last of all, as routes are looked through in this order: messages come here in mistaken requests only.
    app.router.routes += runners
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
    app.router.routes += sorted(_alone(routes), key=lambda route: not isinstance(route, QuickRoute))

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
