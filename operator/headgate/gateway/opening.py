"""What the gateway's process opens, and closes in the end."""

from __future__ import annotations

import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import CollectorRegistry

from headgate.clock import wall
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import connect
from headgate.dependencies import Dependencies
from headgate.domain.dependency_breaker import DependencyName
from headgate.domain.envelope import KeyRing
from headgate.domain.prices import PriceTable
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.engine import Engine
from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.objects.object_store import ObjectStore
from headgate.settings import GatewaySettings
from headgate.store.database import ANSWER, Database
from headgate.store.definition_cache import DefinitionCache
from headgate.store.lent_calls import LentCalls
from headgate.store.redis import Dependency
from headgate.store.standby import Standby

_SERVER_SECONDS = 10.0
"""How long the API server may take, for whom somebody waits."""


@dataclass(frozen=True)
class Opened:
    """What there is. None of it need answer yet."""

    kube: KubeClient
    engine: Engine
    standby: Standby | None
    """The replica of Postgres, where the settings name one."""
    reads: DefinitionReads | None
    """Remembers definitions, where the settings name a Redis."""
    lent: LentCalls | None
    """Counts calls in Redis, where the settings name one."""
    objects: ObjectStore | None
    """Where logs are kept, where the settings say so."""
    dependencies: Dependencies
    """What of it may be away."""


async def opened(
    settings: GatewaySettings,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
    keys: KeyRing | None,
    prices: PriceTable | None,
) -> Opened:
    """Open what the settings name; ``stack`` closes it. Raises ``InvalidObjectStore``."""
    dependencies = Dependencies(monotonic=time.monotonic)
    registry.register(dependencies)
    requests, server = KubeClient.counter(registry), dependencies.guard(DependencyName.KUBERNETES)
    kube = KubeClient(connect(settings.kubeconfig), requests, seconds=_SERVER_SECONDS, guard=server)
    stack.push_async_callback(kube.aclose)
    evaluator = CelEvaluator()
    stack.push_async_callback(evaluator.aclose)
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        prepared_statements=settings.database_prepared_statements,
        answer=ANSWER,
        guard=dependencies.guard(DependencyName.POSTGRES),
    )
    stack.push_async_callback(database.close)
    standby = _standby(settings, database, dependencies, stack)
    redis = _redis(settings, dependencies, stack)
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
        archive=_store(settings.archive_store, dependencies, DependencyName.ARCHIVE, stack),
    )
    lent = None if redis is None else LentCalls(redis)
    objects = _store(settings.object_store, dependencies, DependencyName.OBJECT_STORE, stack)
    return Opened(kube, engine, standby, reads, lent, objects, dependencies)


def _store(
    url: str | None, dependencies: Dependencies, name: DependencyName, stack: AsyncExitStack
) -> ObjectStore | None:
    if url is None:
        return None
    store = ObjectStore(url, guard=dependencies.guard(name))
    stack.callback(store.close)
    return store


def _standby(
    settings: GatewaySettings, primary: Database, dependencies: Dependencies, stack: AsyncExitStack
) -> Standby | None:
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
        guard=dependencies.guard(DependencyName.REPLICA),
    )
    stack.push_async_callback(standby.close)
    return standby


def _redis(settings: GatewaySettings, dependencies: Dependencies, stack: AsyncExitStack) -> Dependency | None:
    """Redis, where the settings name one. It need not be there yet."""
    if settings.redis_url is None:
        return None
    redis = Dependency(settings.redis_url.get_secret_value(), dependencies.guard(DependencyName.REDIS))
    stack.push_async_callback(redis.close)
    return redis
