"""What the gateway counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate.engine.call_limits.limits import CallLimits
from headgate.engine.definitions.reads import DefinitionReads
from headgate.store.standby import Standby


@dataclass(frozen=True)
class GatewayMetrics:
    """Requests, by the route that took them: never by path, which is the caller's."""

    requests: Counter
    seconds: Histogram
    refused: Counter
    """Calls beyond a limit, by the limit."""

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
            Counter(
                "headgate_gateway_calls_refused_total",
                "Calls of the API that were refused as there were too many, by the limit: workspace or caller.",
                ["limit"],
                registry=registry,
            ),
        )


class CallCounts(Collector):
    """How calls of the API were counted, and whether Redis answers. Read when somebody asks."""

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        counted = CounterMetricFamily(
            "headgate_gateway_calls", "Calls of the API that were counted, by who counted them.", labels=["by"]
        )
        counted.add_metric(["redis"], self._limits.by_loan)
        counted.add_metric(["postgres"], self._limits.asked)
        yield counted
        if (there := self._limits.redis_there) is not None:
            yield GaugeMetricFamily("headgate_redis_up", "Whether Redis answered when it was asked last.", float(there))


class DefinitionReadCounts(Collector):
    """Who gave definitions of workflows. Read when somebody asks."""

    def __init__(self, reads: DefinitionReads) -> None:
        self._reads = reads

    def collect(self) -> Iterator[Metric]:
        """The metric now."""
        reads = CounterMetricFamily(
            "headgate_gateway_definition_reads", "Reads of workflows and versions, by who gave them.", labels=["by"]
        )
        reads.add_metric(["postgres"], self._reads.asked)
        reads.add_metric(["cache"], self._reads.read - self._reads.asked)
        yield reads


class StandbyState(Collector):
    """Whether the replica of Postgres keeps up, and who answered what may be late. Read when somebody asks."""

    def __init__(self, standby: Standby) -> None:
        self._standby = standby

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        up, lag = float(self._standby.keeps_up), self._standby.lag
        yield GaugeMetricFamily("headgate_replica_up", "Whether the replica of Postgres is read from.", up)
        if lag is not None:
            yield GaugeMetricFamily("headgate_replica_lag_seconds", "How far it was behind at most.", lag)
        reads = CounterMetricFamily(
            "headgate_gateway_late_reads", "Reads that may be late, by who answered them.", labels=["by"]
        )
        reads.add_metric(["replica"], self._standby.by_replica)
        reads.add_metric(["primary"], self._standby.by_primary)
        yield reads


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
        # Looking for those of a route by their labels costs more than counting.
        self._requests: dict[tuple[str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), int(HTTPStatus.INTERNAL_SERVER_ERROR)
        taken: float | None = None

        async def noted(message: Message) -> None:
            nonlocal status, taken
            if message["type"] == "http.response.start":
                # Until the answer begins: a stream lasts as long as its reader likes.
                status, taken = message["status"], time.perf_counter() - begun
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "")
            self._count(route, status, time.perf_counter() - begun if taken is None else taken)

    def _count(self, route: str, status: int, seconds: float) -> None:
        requests = self._requests.get((route, status))
        if requests is None:
            requests = self._requests[route, status] = self._metrics.requests.labels(route, str(status))
        requests.inc()
        histogram = self._seconds.get(route)
        if histogram is None:
            histogram = self._seconds[route] = self._metrics.seconds.labels(route)
        histogram.observe(seconds)
