"""What the gateway counts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class GatewayMetrics:
    """Requests, by the route that took them: never by path, which is the caller's."""

    requests: Counter
    seconds: Histogram

    @classmethod
    def register(cls, registry: CollectorRegistry) -> GatewayMetrics:
        """Declare the metrics."""
        return cls(
            Counter(
                "headgate_gateway_requests_total",
                "Requests to the gateway, by route and status.",
                ["route", "code"],
                registry=registry,
            ),
            Histogram("headgate_gateway_request_seconds", "Duration of one request.", ["route"], registry=registry),
        )


@dataclass(frozen=True)
class HookMetrics:
    """Deliveries of webhooks, by what became of them."""

    deliveries: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry) -> HookMetrics:
        """Declare the metric."""
        return cls(
            Counter(
                "headgate_webhook_deliveries_total",
                "Deliveries of webhooks, by workspace and what became of them.",
                ["workspace", "outcome"],
                registry=registry,
            )
        )

    def counted(self, workspace: str, outcome: str) -> None:
        """Count one. ``workspace`` is empty unless there is such a webhook: senders choose what they write."""
        self.deliveries.labels(workspace, outcome).inc()


class Measured:
    """Counts and times every request."""

    def __init__(self, app: ASGIApp, *, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - begun)
