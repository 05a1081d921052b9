"""The gateway's process: its API on one port, probes and metrics on another."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx
import structlog
import uvicorn
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, disable_created_metrics

from headgate.clock import wall
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import connect
from headgate.domain.runner_task import KINDS
from headgate.engine.engine import Engine
from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.engine.key_source import key_ring
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Effects
from headgate.gateway.app import gateway
from headgate.gateway.authentication import Authenticator
from headgate.gateway.callers import Callers
from headgate.gateway.jwks import KeySet
from headgate.gateway.oidc import OidcProvider, OidcUsers
from headgate.gateway.waiting_room import WaitingRoom
from headgate.probes import Health, application, heartbeat, serve
from headgate.settings import GatewaySettings
from headgate.store.bell import Bell
from headgate.store.database import Database
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

_GRACE_SECONDS = 10
_LOOK_SECONDS = 2.0
_PROVIDER_SECONDS = 5.0


async def serve_gateway(settings: GatewaySettings) -> int:
    """Serve until told to end, and return the exit code. Raises ``KeyRingInvalid``."""
    log = structlog.get_logger("headgate.gateway")
    given = settings.key_encryption_keys
    keys = key_ring(given.get_secret_value() if given else None, settings.key_encryption_keys_file)
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    health = Health(time.monotonic)
    async with AsyncExitStack() as stack:
        probes, _ = await serve(application(health, registry), settings.http_host, settings.http_port)
        stack.push_async_callback(probes.cleanup)
        kube = KubeClient(connect(settings.kubeconfig), KubeClient.counter(registry))
        stack.push_async_callback(kube.aclose)
        evaluator = CelEvaluator()
        stack.push_async_callback(evaluator.aclose)
        database = Database(settings.database_url.get_secret_value(), pool_size=settings.database_pool_size)
        stack.push_async_callback(database.close)
        engine = Engine(database, clock=wall, randomness=secrets.token_bytes, evaluator=evaluator, keys=keys)
        room = WaitingRoom()
        bell = Bell(settings.database_url.get_secret_value(), lambda workspace: room.ring(workspace, KINDS))
        app = gateway(
            engine,
            Authenticator(kube, engine, monotonic=time.monotonic),
            Callers(kube, engine, monotonic=time.monotonic, oidc=await _oidc(settings, stack)),
            registry,
            lease=timedelta(seconds=settings.runner_lease_seconds),
            wall=wall,
            heard=_Heard(registry),
            elsewhere=lambda workspace: bell.ring([workspace]),
            room=room,
        )
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=settings.http_host,
                port=settings.api_port,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_SECONDS,
                limit_concurrency=settings.request_concurrency,
            )
        )
        watching = [
            asyncio.create_task(_ready(health, engine)),
            asyncio.create_task(heartbeat(health, "requests", tuple)),
            asyncio.create_task(bell.run()),
        ]
        log.info("serving", api_port=settings.api_port)
        # It ends by itself on the signals, once the requests under way are answered.
        await server.serve()
        for task in watching:
            task.cancel()
        log.info("ended")
    return 0


async def _oidc(settings: GatewaySettings, stack: AsyncExitStack) -> OidcUsers | None:
    """The users of the identity provider that the settings name."""
    if settings.oidc_issuer is None:
        return None
    verify = ssl.create_default_context(cafile=settings.oidc_ca_file)
    http = await stack.enter_async_context(httpx.AsyncClient(timeout=_PROVIDER_SECONDS, verify=verify))
    provider = OidcProvider(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        username_claim=settings.oidc_username_claim,
        groups_claim=settings.oidc_groups_claim,
        username_prefix=settings.oidc_username_prefix,
        groups_prefix=settings.oidc_groups_prefix,
    )
    return OidcUsers(provider, KeySet(provider.issuer, http, monotonic=time.monotonic), wall=wall)


class _Heard:
    """Counts the runs that ended in a transaction of the gateway, as the operator does those of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._namespaces: dict[str, str] = {}
        self._metrics = RunMetrics(registry, self._namespaces.get)

    def __call__(self, workspace: str, effects: Effects) -> None:
        for run in effects.finished:
            self._namespaces[run.namespace] = workspace
            self._metrics.finished(run)


async def _ready(health: Health, engine: Engine) -> None:
    """Ready as long as Postgres answers: without it every request would be refused."""
    while True:
        try:
            await engine.ping()
            health.ready = True
        except (DatabaseUnavailable, DatabaseNotMigrated):
            health.ready = False
        await asyncio.sleep(_LOOK_SECONDS)
