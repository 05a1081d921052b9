from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge

from headgate.probes import Health, application, heartbeat, serve
from headgate.reconcile.queue import LONGEST_RECONCILIATION_SECONDS, QueueMetrics, WorkQueue
from tests.unit.cluster.virtual_time import in_virtual_time, now


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Page:
    """What the operator's port answers."""

    def __init__(self, health: Health, clock: Clock, port: int, session: aiohttp.ClientSession) -> None:
        self.health = health
        self.clock = clock
        self._port = port
        self._session = session

    async def get(self, path: str) -> tuple[int, str]:
        async with self._session.get(f"http://127.0.0.1:{self._port}{path}") as response:
            return response.status, await response.text()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    clock, registry = Clock(), CollectorRegistry()
    health = Health(clock)
    Gauge("answer", "What it is.", registry=registry).set(42)
    runner, port = await serve(application(health, registry), "127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        yield Page(health, clock, port, session)
    await runner.cleanup()


async def test_it_is_not_ready_before_it_is_said_to_be(page: Page) -> None:
    assert await page.get("/readyz") == (503, "starting\n")

    page.health.ready = True

    assert await page.get("/readyz") == (200, "ok\n")


async def test_it_lives_while_every_activity_keeps_its_promise(page: Page) -> None:
    assert await page.get("/healthz") == (200, "ok\n")

    page.health.alive("reconciliation", within=30)
    page.clock.now += 30

    assert await page.get("/healthz") == (200, "ok\n")


async def test_what_is_stuck_is_named_until_it_moves_again(page: Page) -> None:
    page.health.alive("watching", within=30)
    page.health.alive("reconciliation", within=10)
    page.clock.now += 20
    assert await page.get("/healthz") == (503, "stuck: reconciliation\n")

    page.clock.now += 20
    assert await page.get("/healthz") == (503, "stuck: reconciliation, watching\n")

    page.health.alive("watching", within=30)
    page.health.alive("reconciliation", within=10)
    assert await page.get("/healthz") == (200, "ok\n")


async def test_metrics_are_in_the_form_of_prometheus(page: Page) -> None:
    status, text = await page.get("/metrics")

    assert status == 200
    assert "# HELP answer What it is.\n# TYPE answer gauge\nanswer 42.0\n" in text


@in_virtual_time
async def test_a_reconciliation_that_never_ends_is_seen() -> None:
    health = Health(now)

    async def never(_: str) -> None:
        await asyncio.Event().wait()

    queue = WorkQueue(never, lambda key: key, QueueMetrics.register(CollectorRegistry()), now)
    parts = [
        asyncio.create_task(queue.run(workers=2)),
        asyncio.create_task(heartbeat(health, "reconciliation", queue.overdue)),
    ]
    await asyncio.sleep(LONGEST_RECONCILIATION_SECONDS)
    assert health.stuck() == ()

    queue.add("acme")
    await asyncio.sleep(LONGEST_RECONCILIATION_SECONDS)
    assert health.stuck() == ()
    await asyncio.sleep(60)

    assert health.stuck() == ("reconciliation",)
    for part in parts:
        part.cancel()
    await asyncio.wait(parts)


@in_virtual_time
async def test_an_event_loop_that_does_not_turn_is_seen() -> None:
    health = Health(now)
    beating = asyncio.create_task(heartbeat(health, "reconciliation", lambda: ()))
    await asyncio.sleep(3600)
    assert health.stuck() == ()

    beating.cancel()
    await asyncio.sleep(60)

    assert health.stuck() == ("reconciliation",)
