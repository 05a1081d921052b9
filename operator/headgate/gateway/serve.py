"""The gateway's process: its API on one port, probes and metrics on another."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import ssl
import time
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from types import FrameType

import httpx
import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from headgate.clock import wall
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import connect
from headgate.domain.runner_task import KINDS
from headgate.engine.credentials.key_source import key_ring
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.engine import Engine
from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.engine.price_source import price_table
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Effects
from headgate.gateway import upkeep
from headgate.gateway.app import gateway
from headgate.gateway.authentication import Authenticator
from headgate.gateway.callers import Callers
from headgate.gateway.jwks import KeySet
from headgate.gateway.live_logs import LiveLogs
from headgate.gateway.metrics import DefinitionReadCounts, StandbyState
from headgate.gateway.minute_counts import MinuteCounts
from headgate.gateway.oidc import OidcProvider, OidcUsers
from headgate.gateway.pace import Pace
from headgate.gateway.refusals import Refusals
from headgate.gateway.strangers import Strangers
from headgate.gateway.streams import Streams
from headgate.gateway.waiting_room import WaitingRoom
from headgate.objects.object_store import ObjectStore
from headgate.probes import Health, application, heartbeat, process_registry, serve
from headgate.settings import GatewaySettings
from headgate.store.bell import Bell
from headgate.store.database import Database
from headgate.store.definition_cache import DefinitionCache
from headgate.store.errors import DatabaseUnavailable
from headgate.store.lent_calls import LentCalls
from headgate.store.redis import Dependency
from headgate.store.standby import Standby

_GRACE_SECONDS = 10
_BACKLOG = 2048
_UNREAD_SECONDS = 30.0
_PROVIDER_SECONDS = 5.0


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
        kube = KubeClient(connect(settings.kubeconfig), KubeClient.counter(registry))
        stack.push_async_callback(kube.aclose)
        evaluator = CelEvaluator()
        stack.push_async_callback(evaluator.aclose)
        database = Database(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            prepared_statements=settings.database_prepared_statements,
        )
        stack.push_async_callback(database.close)
        standby = _standby(settings, database, stack)
        archive = ObjectStore(settings.archive_store) if settings.archive_store is not None else None
        if archive is not None:
            stack.callback(archive.close)
        redis = await _redis(settings, stack)
        reads = None if redis is None else DefinitionReads(DefinitionCache(redis), monotonic=time.monotonic)
        engine = Engine(
            database,
            clock=wall,
            randomness=secrets.token_bytes,
            evaluator=evaluator,
            keys=keys,
            reads=reads,
            prices=prices,
            standby=standby,
            archive=archive,
        )
        limits = engine.call_limits(
            burst=settings.calls_per_minute,
            monotonic=time.monotonic,
            lent=None if redis is None else LentCalls(redis),
        )
        room = WaitingRoom()
        direct = settings.database_direct_url or settings.database_url
        bell = Bell(direct.get_secret_value(), lambda workspace: room.ring(workspace, KINDS))
        refusals = Refusals(engine.webhooks)
        objects = ObjectStore(settings.object_store) if settings.object_store is not None else None
        if objects is not None:
            stack.callback(objects.close)
        streams = Streams(
            engine.changes, registry, most=settings.streams, most_of_workspace=settings.streams_per_workspace
        )
        app = gateway(
            engine,
            Authenticator(kube, engine.workspaces, monotonic=time.monotonic),
            await _callers(settings, kube, engine, stack),
            limits,
            streams,
            registry,
            lease=timedelta(seconds=settings.runner_lease_seconds),
            wall=wall,
            heard=_Heard(registry),
            elsewhere=lambda workspace: bell.ring([workspace]),
            room=room,
            objects=objects,
            live=_live(settings, kube, engine),
            refusals=refusals,
        )
        server = _Server(_configuration(settings, app), streams)
        watching = [
            asyncio.create_task(upkeep.readiness(health, engine)),
            asyncio.create_task(heartbeat(health, "requests", tuple)),
            asyncio.create_task(bell.run()),
            asyncio.create_task(upkeep.loans(limits)),
            asyncio.create_task(upkeep.refusals(refusals)),
        ]
        if reads is not None:
            registry.register(DefinitionReadCounts(reads))
            watching.append(asyncio.create_task(upkeep.definitions(reads)))
        if standby is not None:
            registry.register(StandbyState(standby))
            watching.append(asyncio.create_task(upkeep.standby(standby)))
        log.info("serving", api_port=settings.api_port)
        # It ends by itself on the signals, once the requests under way are answered.
        await server.serve([_listening(settings.http_host, settings.api_port)])
        for task in watching:
            task.cancel()
        with suppress(DatabaseUnavailable):
            await limits.aclose()
        await refusals.flush()
        log.info("ended")
    return 0


class _Server(uvicorn.Server):
    """Ends streams as soon as it is told to end: they would last as long as it lets them."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End serving, and not the process, as uvicorn would: what was counted is still to be written."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.close()
        await super().shutdown(sockets)


def _configuration(settings: GatewaySettings, app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=settings.keep_alive_seconds,
        limit_concurrency=settings.request_concurrency,
    )


def _listening(host: str, port: int) -> socket.socket:
    """A socket whose connections end when their other side takes nothing of what was sent for a while."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_UNREAD_SECONDS * 1000))
    return made


async def _callers(settings: GatewaySettings, kube: KubeClient, engine: Engine, stack: AsyncExitStack) -> Callers:
    """Who may call the API."""
    return Callers(
        kube,
        engine.api_keys,
        engine.workspaces,
        monotonic=time.monotonic,
        oidc=await _oidc(settings, stack),
        strangers=Strangers(settings.failures_per_minute, time.monotonic),
        visits=MinuteCounts(settings.calls_per_minute, time.monotonic),
    )


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


def _live(settings: GatewaySettings, kube: KubeClient, engine: Engine) -> LiveLogs | None:
    """What running attempts write, unless the settings leave it out."""
    if not settings.follow_logs:
        return None
    return LiveLogs(kube, engine.logs, Pace(settings.log_bytes_per_second, time.monotonic))


def _standby(settings: GatewaySettings, primary: Database, stack: AsyncExitStack) -> Standby | None:
    """The replica of Postgres, where the settings name one. It need not be there yet."""
    if settings.database_replica_url is None:
        return None
    standby = Standby(
        primary,
        settings.database_replica_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        prepared_statements=settings.database_prepared_statements,
        most_lag=timedelta(seconds=settings.database_replica_max_lag_seconds),
        monotonic=time.monotonic,
    )
    stack.push_async_callback(standby.close)
    return standby


async def _redis(settings: GatewaySettings, stack: AsyncExitStack) -> Dependency | None:
    """Redis, where the settings name one. It need not be there yet."""
    if settings.redis_url is None:
        return None
    redis = Dependency(settings.redis_url.get_secret_value(), monotonic=time.monotonic)
    stack.push_async_callback(redis.close)
    return redis


class _Heard:
    """Counts the runs that ended in a transaction of the gateway, as the operator does those of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._namespaces: dict[str, str] = {}
        self._metrics = RunMetrics(registry, self._namespaces.get)

    def __call__(self, workspace: str, effects: Effects) -> None:
        for run in effects.finished:
            self._namespaces[run.namespace] = workspace
            self._metrics.finished(run)
