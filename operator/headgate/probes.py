"""/metrics, /healthz and /readyz."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)


def process_registry() -> CollectorRegistry:
    """A registry that tells of the process itself, and of no metric when it was made."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


@dataclass
class Health:
    """What the probes answer from."""

    monotonic: Callable[[], float]
    ready: bool = False
    """Standing by as a follower, or leading with all caches filled."""
    deadlines: dict[str, float] = field(default_factory=dict)
    """Until when each watched activity must have shown itself again, on the monotonic clock."""

    def alive(self, activity: str, within: float) -> None:
        """The activity moves; it promises to show itself again within so many seconds."""
        self.deadlines[activity] = self.monotonic() + within

    def stuck(self) -> tuple[str, ...]:
        """Activities that have not kept their promise."""
        now = self.monotonic()
        return tuple(sorted(name for name, deadline in self.deadlines.items() if deadline < now))


async def heartbeat(health: Health, activity: str, stuck: Callable[[], object], every_seconds: float = 5.0) -> None:
    """Show for ever that the event loop turns, and the activity moves as long as nothing of it is ``stuck``."""
    while True:
        if not stuck():
            health.alive(activity, within=every_seconds * 6)
        await asyncio.sleep(every_seconds)


def application(health: Health, registry: CollectorRegistry) -> web.Application:
    """The HTTP application of the operator's own port."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        stuck = health.stuck()
        return web.Response(text=f"stuck: {', '.join(stuck)}\n" if stuck else "ok\n", status=503 if stuck else 200)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n" if health.ready else "starting\n", status=200 if health.ready else 503)

    served = web.Application()
    served.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return served


async def serve(application: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Start serving. Returns the runner, to be cleaned up in the end, and the port that was bound."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound = runner.addresses[0][1]
    return runner, int(bound)
