"""Replicas of the gateway that count calls, and the clock by which they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import psycopg

from headgate.dependencies import DependencyGuard
from headgate.domain.dependency_breaker import DependencyName
from headgate.engine.call_limits.limits import CallDecision, CallLimits
from headgate.engine.engine import Engine
from headgate.store.database import Database
from headgate.store.lent_calls import LentCalls
from headgate.store.redis import Dependency
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.world import NOON, World
from tests.support.redis_server import RedisServer

PLENTY = 1_000_000


@dataclass
class PostgresClock:
    """The time by which Postgres counts calls, set by hand."""

    superuser_url: str

    def set(self, now: datetime) -> None:
        self._be(f"SELECT timestamptz '{now.isoformat()}'")

    def restore(self) -> None:
        self._be("SELECT clock_timestamp()")

    def _be(self, body: str) -> None:
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            signature = "headgate.clock() RETURNS timestamptz LANGUAGE sql VOLATILE"
            connection.execute(f"CREATE OR REPLACE FUNCTION {signature} AS $${body}$$".encode())


@contextmanager
def stopped_clock(superuser_url: str) -> Iterator[PostgresClock]:
    """Postgres' clock stands at noon, until it is moved."""
    clock = PostgresClock(superuser_url)
    clock.set(NOON)
    try:
        yield clock
    finally:
        clock.restore()


@dataclass
class Counting:
    """A replica that counts calls."""

    limits: CallLimits
    world: World
    api: Api
    database: Database
    redis: Dependency | None = None

    async def take(self, subject: str = "alice", workspace: str = "acme") -> CallDecision:
        return await self.limits.take(self.world.ids[workspace], subject)

    async def passing(self, calls: int, subject: str = "alice", workspace: str = "acme") -> int:
        """How many pass of so many that come at once."""
        decisions = await asyncio.gather(*(self.take(subject, workspace) for _ in range(calls)))
        return sum(decision.passed for decision in decisions)


@asynccontextmanager
async def looking(*replicas: Counting) -> AsyncIterator[None]:
    """Meanwhile they look after what they were lent, as the gateway's process has them do, but more often."""

    async def look() -> None:
        while True:
            await asyncio.gather(*(item.limits.look() for item in replicas))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def counting_replicas(
    world: World, count: int, *redis: RedisServer, burst: int = PLENTY
) -> AsyncIterator[list[Counting]]:
    """Replicas of the gateway, each with connections of its own. They look after Redis when they are told to.

    With several servers, each replica sees the one of its place, and the rest the last.
    """
    async with AsyncExitStack() as stack:
        made: list[Counting] = []
        for number in range(count):
            seen = redis[min(number, len(redis) - 1)] if redis else None
            database = Database(world.url, pool_size=5)
            stack.push_async_callback(database.close)
            engine = Engine(database, world.expressions, clock=world.clock)
            ticking = Ticking()
            dependency = None
            if seen is not None:
                dependency = Dependency(seen.url, DependencyGuard(DependencyName.REDIS, monotonic=ticking))
                stack.push_async_callback(dependency.close)
            lent = None if dependency is None else LentCalls(dependency)
            api = await stack.enter_async_context(replica(world, engine, ApiServer(), ticking, burst=burst, lent=lent))
            made.append(Counting(api.limits, world, api, database, dependency))
        yield made
