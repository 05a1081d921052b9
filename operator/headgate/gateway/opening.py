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
from headgate.domain.envelope import KeyRing
from headgate.domain.prices import PriceTable
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.engine import Engine
from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.objects.object_store import ObjectStore
from headgate.settings import GatewaySettings
from headgate.store.database import Database
from headgate.store.definition_cache import DefinitionCache
from headgate.store.lent_calls import LentCalls
from headgate.store.redis import Dependency
from headgate.store.standby import Standby


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


async def opened(
    settings: GatewaySettings,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
    keys: KeyRing | None,
    prices: PriceTable | None,
) -> Opened:
    """Open what the settings name; ``stack`` closes it. Raises ``InvalidObjectStore``."""
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
    redis = _redis(settings, stack)
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
        archive=_store(settings.archive_store, stack),
    )
    lent = None if redis is None else LentCalls(redis)
    return Opened(kube, engine, standby, reads, lent, _store(settings.object_store, stack))


def _store(url: str | None, stack: AsyncExitStack) -> ObjectStore | None:
    if url is None:
        return None
    store = ObjectStore(url)
    stack.callback(store.close)
    return store


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


def _redis(settings: GatewaySettings, stack: AsyncExitStack) -> Dependency | None:
    """Redis, where the settings name one. It need not be there yet."""
    if settings.redis_url is None:
        return None
    redis = Dependency(settings.redis_url.get_secret_value(), monotonic=time.monotonic)
    stack.push_async_callback(redis.close)
    return redis
