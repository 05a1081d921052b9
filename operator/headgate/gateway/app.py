"""The gateway's application, put together from what it is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from headgate.domain.runner_protocol import REQUEST_BYTES
from headgate.domain.webhooks import BODY_BYTES
from headgate.engine.call_limits.limits import CallLimits
from headgate.engine.engine import Engine
from headgate.engine.types import Effects
from headgate.gateway import api, hooks
from headgate.gateway.api import DOCUMENT_PATH, api_routes, document
from headgate.gateway.authentication import Authenticator
from headgate.gateway.callers import Callers
from headgate.gateway.hooks import hook_routes
from headgate.gateway.limits import BodyLimit
from headgate.gateway.live_logs import LiveLogs
from headgate.gateway.metrics import CallCounts, GatewayMetrics, HookMetrics, Measured
from headgate.gateway.problems import answer_with_problems
from headgate.gateway.rate_limits import RateLimitFields, RateLimits
from headgate.gateway.refusals import Refusals
from headgate.gateway.refused_calls import RefusedCalls
from headgate.gateway.routes.paths import API
from headgate.gateway.runners import runner_routes
from headgate.gateway.streams import Streams
from headgate.gateway.waiting_room import WaitingRoom
from headgate.objects.object_store import ObjectStore


def gateway(
    engine: Engine,
    authenticator: Authenticator,
    callers: Callers,
    limits: CallLimits,
    streams: Streams,
    registry: CollectorRegistry,
    *,
    lease: timedelta,
    wall: Callable[[], datetime],
    heard: Callable[[str, Effects], None],
    elsewhere: Callable[[str], None] = lambda _workspace: None,
    room: WaitingRoom | None = None,
    objects: ObjectStore | None = None,
    live: LiveLogs | None = None,
    refusals: Refusals | None = None,
    refusal_seconds: float = hooks.REFUSAL_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The application. ``heard`` is told the workspace and the effects of every transaction.

    ``elsewhere`` is told a workspace with something for runners for which too few wait in ``room``. ``objects`` is
    where logs are kept, and ``live`` reads those of running attempts; None where they cannot be reached from here.
    ``refusals`` counts what webhooks refused, and is written by whoever gives it; they refuse in ``refusal_seconds`` at
    the earliest.
    """
    room = room or WaitingRoom()

    def woken(workspace: str, effects: Effects) -> None:
        heard(workspace, effects)
        if effects.for_runners and not room.ring(workspace, effects.for_runners):
            elsewhere(workspace)

    app = FastAPI(title="Headgate", docs_url=None, redoc_url=None, openapi_url=None)
    answer_with_problems(app)
    # First of all routes: they are looked through in this order, for every request.
    app.router.routes += runner_routes(
        engine.runner_tasks,
        engine.credentials,
        engine.cursors,
        authenticator,
        lease=lease,
        wall=wall,
        heard=woken,
        room=room,
    )
    metrics = GatewayMetrics.register(registry)
    registry.register(CallCounts(limits))
    rates = RateLimits(limits, metrics)
    routes = api_routes(
        engine,
        callers,
        rates,
        streams,
        objects,
        live,
        refused=RefusedCalls(engine.audit, monotonic),
        wall=wall,
        heard=woken,
    )
    described = document(routes)
    app.include_router(routes)

    @app.get(DOCUMENT_PATH)
    async def openapi() -> dict[str, Any]:
        return described

    counts = HookMetrics.register(registry)
    app.include_router(
        hook_routes(
            engine,
            rates,
            refusals or Refusals(engine.webhooks),
            counts,
            wall=wall,
            heard=woken,
            refusal_seconds=refusal_seconds,
        )
    )
    larger = {f"{API}/": api.REQUEST_BYTES, f"{hooks.PREFIX}/": BODY_BYTES}
    app.add_middleware(BodyLimit, limit=REQUEST_BYTES, larger=larger)
    app.add_middleware(RateLimitFields)
    app.add_middleware(Measured, metrics=metrics)
    return app
