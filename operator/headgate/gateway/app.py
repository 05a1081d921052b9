"""The gateway's application, put together from what it is given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from headgate.domain.runner_protocol import REQUEST_BYTES
from headgate.engine.engine import Engine
from headgate.engine.types import Effects
from headgate.gateway.authentication import Authenticator, Runner
from headgate.gateway.limits import BodyLimit
from headgate.gateway.metrics import GatewayMetrics, Measured
from headgate.gateway.problems import answer_with_problems
from headgate.gateway.runners import runner_routes


def gateway(
    engine: Engine,
    authenticator: Authenticator,
    registry: CollectorRegistry,
    *,
    lease: timedelta,
    wall: Callable[[], datetime],
    heard: Callable[[Runner, Effects], None],
) -> FastAPI:
    """The application. It serves no pages about itself."""
    app = FastAPI(title="Headgate", docs_url=None, redoc_url=None, openapi_url=None)
    answer_with_problems(app)
    app.include_router(
        runner_routes(engine.runner_tasks, engine.credentials, authenticator, lease=lease, wall=wall, heard=heard)
    )
    app.add_middleware(BodyLimit, limit=REQUEST_BYTES)
    app.add_middleware(Measured, metrics=GatewayMetrics.register(registry))
    return app
