"""The gateway's process: its API on one port, probes and metrics on another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from headgate import garbage
from headgate.clock import wall
from headgate.domain.runner_task import KINDS
from headgate.engine.call_limits.limits import CallLimits
from headgate.engine.credentials.key_source import key_ring
from headgate.engine.price_source import price_table
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Effects
from headgate.gateway import upkeep
from headgate.gateway.app import gateway
from headgate.gateway.authentication import Authenticator
from headgate.gateway.live_logs import LiveLogs
from headgate.gateway.metrics import DefinitionReadCounts, StandbyState
from headgate.gateway.opening import Opened, opened
from headgate.gateway.pace import Pace
from headgate.gateway.refusals import Refusals
from headgate.gateway.server import serve_requests
from headgate.gateway.streams import Streams
from headgate.gateway.ties import Ties
from headgate.gateway.waiting_room import WaitingRoom
from headgate.gateway.who_calls import callers_of
from headgate.probes import Health, application, heartbeat, process_registry, serve
from headgate.settings import GatewaySettings
from headgate.store.bell import Bell
from headgate.store.errors import DatabaseUnavailable


async def serve_gateway(settings: GatewaySettings) -> int:
    """Serve until told to end, and return the exit code.

    Raises ``KeyRingInvalid``, ``PricesInvalid`` and ``InvalidObjectStore``.
    """
    log = structlog.get_logger("headgate.gateway")
    given = settings.key_encryption_keys
    keys = key_ring(given.get_secret_value() if given else None, settings.key_encryption_keys_file)
    prices = price_table(settings.prices_file)
    registry = process_registry()
    health = Health(time.monotonic)
    async with AsyncExitStack() as stack:
        probes, _ = await serve(application(health, registry), settings.http_host, settings.http_port)
        stack.push_async_callback(probes.cleanup)
        world = await opened(settings, registry, stack, keys, prices)
        limits = world.engine.call_limits(burst=settings.calls_per_minute, monotonic=time.monotonic, lent=world.lent)
        room, refusals = WaitingRoom(), Refusals(world.engine.webhooks)
        bell = _bell(settings, room)
        ties = Ties(
            engine=world.engine,
            authenticator=Authenticator(world.kube, world.engine.workspaces, monotonic=time.monotonic),
            callers=await callers_of(settings, world, stack),
            limits=limits,
            streams=_streams(settings, world, registry),
            registry=registry,
            lease=timedelta(seconds=settings.runner_lease_seconds),
            wall=wall,
            heard=_Heard(registry),
            elsewhere=lambda workspace: bell.ring([workspace]),
            room=room,
            objects=world.objects,
            artifact_bytes=settings.artifact_bytes,
            live=_live(settings, world),
            refusals=refusals,
        )
        app = gateway(ties)
        beside = [asyncio.create_task(work) for work in _beside(health, world, registry, bell, limits, refusals)]
        garbage.look_seldom()
        log.info("serving", api_port=settings.api_port)
        await serve_requests(settings, app.served, ties.streams)
        for task in beside:
            task.cancel()
        with suppress(DatabaseUnavailable):
            await limits.aclose()
        await refusals.flush()
        log.info("ended")
    return 0


def _beside(
    health: Health, world: Opened, registry: CollectorRegistry, bell: Bell, limits: CallLimits, refusals: Refusals
) -> list[Coroutine[Any, Any, None]]:
    """What goes on while requests are answered. What it tells of Redis and the replica is among the metrics."""
    works = [
        upkeep.readiness(health, world.engine),
        heartbeat(health, "requests", tuple),
        bell.run(),
        upkeep.loans(limits),
        upkeep.refusals(refusals),
    ]
    if world.reads is not None:
        registry.register(DefinitionReadCounts(world.reads))
        works.append(upkeep.definitions(world.reads))
    if world.standby is not None:
        registry.register(StandbyState(world.standby))
        works.append(upkeep.standby(world.standby))
    return works


def _bell(settings: GatewaySettings, room: WaitingRoom) -> Bell:
    """By which gateways wake the runners that wait in one another."""
    direct = settings.database_direct_url or settings.database_url
    return Bell(direct.get_secret_value(), lambda workspace: room.ring(workspace, KINDS))


def _streams(settings: GatewaySettings, world: Opened, registry: CollectorRegistry) -> Streams:
    """Those who follow runs and logs."""
    return Streams(
        world.engine.changes, registry, most=settings.streams, most_of_workspace=settings.streams_per_workspace
    )


def _live(settings: GatewaySettings, world: Opened) -> LiveLogs | None:
    """What running attempts write, unless the settings leave it out."""
    if not settings.follow_logs:
        return None
    return LiveLogs(world.kube, world.engine.logs, Pace(settings.log_bytes_per_second, time.monotonic))


class _Heard:
    """Counts the runs that ended in a transaction of the gateway, as the operator does those of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._namespaces: dict[str, str] = {}
        self._metrics = RunMetrics(registry, self._namespaces.get)

    def __call__(self, workspace: str, effects: Effects) -> None:
        for run in effects.finished:
            self._namespaces[run.namespace] = workspace
            self._metrics.finished(run)
