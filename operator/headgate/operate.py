"""The operator's process: probes at once, work while it leads, and an end when it no longer does."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Gauge

from headgate import garbage
from headgate.app.claim_terms import claim_terms
from headgate.app.compose import compose
from headgate.app.runner_pods import runner_pods
from headgate.clock import wall
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import Connection, connect
from headgate.cluster.lease import Leadership, LeaseSettings, LostLeadership
from headgate.dependencies import Dependencies
from headgate.domain.dependency_breaker import DependencyName
from headgate.domain.prices import PriceTable
from headgate.engine.definitions.changes import DefinitionChanges
from headgate.engine.engine import Engine
from headgate.engine.expressions.checker import ExpressionChecker
from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.engine.price_source import price_table
from headgate.objects.object_store import ObjectStore
from headgate.probes import Health, application, process_registry, serve
from headgate.reconcile.helper import Helper
from headgate.settings import OperatorSettings
from headgate.store.absent import AbsentDatabase
from headgate.store.database import Database
from headgate.store.definition_cache import DefinitionCache
from headgate.store.redis import Dependency

EXIT_LOST_LEADERSHIP = 3
_TELL_SECONDS = 1.0


@dataclass(frozen=True)
class _Opened:
    """What the process has opened, and closes in the end."""

    connection: Connection
    kube: KubeClient
    leadership: Leadership
    evaluator: CelEvaluator
    engine: Engine
    changes: DefinitionChanges | None
    objects: ObjectStore


async def operate(settings: OperatorSettings) -> int:
    """Run until told to end, and return the exit code. Losing leadership ends the process on the spot (code 3).

    Raises ``PricesInvalid``.
    """
    prices = price_table(settings.prices_file)
    log = structlog.get_logger("headgate")
    garbage.look_seldom()
    registry, dependencies = process_registry(), Dependencies(monotonic=time.monotonic)
    registry.register(dependencies)
    leading = Gauge("headgate_leader", "Whether this replica leads.", registry=registry)
    health = Health(time.monotonic)
    stop = asyncio.Event()
    _end_on_signals(stop)
    async with AsyncExitStack() as stack:
        stores = _stores(settings, dependencies, stack)
        runner, port = await serve(application(health, registry), settings.http_host, settings.http_port)
        stack.push_async_callback(runner.cleanup)
        world = _open(settings, registry, dependencies, stack, prices, stores)
        health.ready = True
        log.info("standing by", http_port=port)
        async with _helping(settings, world.engine, world.kube):
            leads = await _reached(world.leadership.acquire(), stop)
        if leads:
            leading.set(1)
            health.ready = False
            await _lead(settings, world, registry, health, stop)
            log.info("ended")
        else:
            # It may have become ours at that very moment.
            await world.leadership.release()
    return 0


def _stores(
    settings: OperatorSettings, dependencies: Dependencies, stack: AsyncExitStack
) -> tuple[ObjectStore, ObjectStore | None]:
    """Where logs are kept, and the archive where there is one."""
    guard = dependencies.guard(DependencyName.OBJECT_STORE)
    objects = ObjectStore(settings.object_store, folder_bytes=settings.object_folder_bytes, guard=guard)
    stack.callback(objects.close)
    if settings.archive_store is None:
        return objects, None
    archive = ObjectStore(settings.archive_store, guard=dependencies.guard(DependencyName.ARCHIVE))
    stack.callback(archive.close)
    return objects, archive


def _open(
    settings: OperatorSettings,
    registry: CollectorRegistry,
    dependencies: Dependencies,
    stack: AsyncExitStack,
    prices: PriceTable | None,
    stores: tuple[ObjectStore, ObjectStore | None],
) -> _Opened:
    """Open what the settings name; ``stack`` closes it. Nothing of it need answer yet."""
    connection = connect(settings.kubeconfig)
    requests = KubeClient.counter(registry)
    server = dependencies.guard(DependencyName.KUBERNETES)
    kube = KubeClient(connection, requests, concurrency=settings.kubernetes_concurrency, guard=server)
    stack.push_async_callback(kube.aclose)
    # Renewing the lease must not queue behind a thousand reconciliations, nor be left out for what they met with.
    apart = KubeClient(connection, requests, concurrency=2)
    stack.push_async_callback(apart.aclose)
    evaluator = CelEvaluator()
    stack.push_async_callback(evaluator.aclose)
    database = _database(settings, dependencies)
    stack.push_async_callback(database.close)
    changes = _changes(settings, dependencies, stack)
    objects, archive = stores
    engine = Engine(
        database,
        clock=wall,
        randomness=secrets.token_bytes,
        evaluator=evaluator,
        changes=changes,
        prices=prices,
        archive=archive,
    )
    return _Opened(connection, kube, _leadership(apart, settings), evaluator, engine, changes, objects)


async def _lead(
    settings: OperatorSettings, world: _Opened, registry: CollectorRegistry, health: Health, stop: asyncio.Event
) -> None:
    """Do all that an operator does, until told to end."""
    operator = compose(
        settings,
        world.connection,
        world.kube,
        world.engine,
        ExpressionChecker(world.evaluator),
        world.objects,
        registry,
        health,
    )
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(_keep_or_end(world.leadership))]
        if world.changes is not None:
            beside.append(group.create_task(_tell(world.changes)))
        await _reached(operator.run(spawned=lambda: _end_on_signals(stop)), stop)
        for task in beside:
            task.cancel()
    # Nothing writes any more: another replica need not wait.
    await world.leadership.release()


@asynccontextmanager
async def _helping(settings: OperatorSettings, engine: Engine, kube: KubeClient) -> AsyncIterator[None]:
    """Meanwhile the replica makes Jobs beside the leader. In the end what was claimed is dealt with, in short time."""
    if not settings.share_dispatch or settings.database_url is None:
        yield
        return
    helper = Helper(
        engine,
        kube,
        claim_terms(settings),
        wall=wall,
        monotonic=time.monotonic,
        runners=runner_pods(settings),
    )
    helping = asyncio.create_task(helper.run())
    try:
        yield
    finally:
        # The Lease may be ours by now, and is not renewed meanwhile.
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.lease_duration_seconds / 5):
                await helper.stop()
        helping.cancel()
        await asyncio.wait([helping])


def _end_on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _keep_or_end(leadership: Leadership) -> None:
    """Another replica may lead at any moment from now on: nothing may be written any more, not even in cleaning up."""
    try:
        await leadership.keep()
    except LostLeadership as error:
        structlog.get_logger("headgate").error("leadership is lost; ending", error=str(error))
        logging.shutdown()
        os._exit(EXIT_LOST_LEADERSHIP)


async def _reached(goal: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Whether ``goal`` was reached before ``stop`` was set. Either way nothing of it is under way afterwards."""
    both = going, _ = asyncio.create_task(goal), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        reached = going.done()
    finally:
        for task in both:
            task.cancel()
        await asyncio.wait(both)
    if not going.cancelled():
        going.result()
    return reached


def _leadership(kube: KubeClient, settings: OperatorSettings) -> Leadership:
    lease = LeaseSettings(
        name=settings.lease_name,
        namespace=settings.namespace,
        identity=settings.pod_name,
        duration_seconds=settings.lease_duration_seconds,
    )
    return Leadership(kube, lease, monotonic=time.monotonic, wall=wall)


def _changes(settings: OperatorSettings, dependencies: Dependencies, stack: AsyncExitStack) -> DefinitionChanges | None:
    """Whom to tell of changed definitions, where the settings name a Redis. It need not be there."""
    if settings.redis_url is None:
        return None
    redis = Dependency(settings.redis_url.get_secret_value(), dependencies.guard(DependencyName.REDIS))
    stack.push_async_callback(redis.close)
    return DefinitionChanges(DefinitionCache(redis))


async def _tell(changes: DefinitionChanges) -> None:
    """Tell of changes that Redis was not there to be told of."""
    while True:
        await changes.tell()
        await asyncio.sleep(_TELL_SECONDS)


def _database(settings: OperatorSettings, dependencies: Dependencies) -> Database:
    if settings.database_url is None:
        return AbsentDatabase()
    return Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        prepared_statements=settings.database_prepared_statements,
        guard=dependencies.guard(DependencyName.POSTGRES),
    )
