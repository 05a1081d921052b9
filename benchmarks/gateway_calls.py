"""What counting calls of the API costs, and what reading definitions does, with Redis and without.

    python -m benchmarks.gateway_calls [--calls 5000]

Goals: counting takes at most 2 ms of a request, with Redis at most 1 ms and four of five calls without asking Postgres;
and reads of definitions from the database fall by 80 % (issue "Rate limits and caching"). The load for the latter: two
replicas read 20 workflows of a workspace in random order, one of which is changed after every hundred reads.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from benchmarks.engine import NoExpressions, a_chain, a_server
from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME, Server
from headgate.api.quota import Limits
from headgate.dependencies import DependencyGuard
from headgate.domain.dependency_breaker import DependencyName
from headgate.engine.call_limits.limits import CallLimits
from headgate.engine.definitions.changes import DefinitionChanges
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.engine import Engine
from headgate.engine.types import WorkspaceRecord
from headgate.store import migrate
from headgate.store.database import Database
from headgate.store.definition_cache import DefinitionCache
from headgate.store.lent_calls import LentCalls
from headgate.store.redis import Dependency, RedisAway
from tests.support.redis_server import RedisServer, own_redis
from tests.support.waiting import eventually

CALLERS = 20
WORKFLOWS = 20
READS_A_CHANGE = 100
AT_ONCE = 50


@dataclass
class Bench:
    """A database with one workspace that may call as often as it likes."""

    url: str
    workspace: UUID

    def engine(self, stack: AsyncExitStack, **more: object) -> Engine:
        database = Database(self.url, pool_size=10)
        stack.push_async_callback(database.close)
        return Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC), **more)  # type: ignore[arg-type]

    async def one_by_one(self, limits: CallLimits, calls: int) -> float:
        """Milliseconds of a call, the median."""
        taken = []
        for number in range(calls):
            began = time.perf_counter()
            await limits.take(self.workspace, f"caller-{number % CALLERS}")
            taken.append(time.perf_counter() - began)
        return 1000 * statistics.median(taken)

    async def at_once(self, limits: CallLimits, calls: int) -> float:
        """Calls a second, of so many that are always under way."""

        async def calling(name: str) -> None:
            for _ in range(calls // AT_ONCE):
                await limits.take(self.workspace, name)

        began = time.perf_counter()
        await asyncio.gather(*(calling(f"caller-{number % CALLERS}") for number in range(AT_ONCE)))
        return calls / (time.perf_counter() - began)


def a_dependency(stack: AsyncExitStack, redis: RedisServer) -> Dependency:
    dependency = Dependency(redis.url, DependencyGuard(DependencyName.REDIS, monotonic=time.monotonic))
    stack.push_async_callback(dependency.close)
    return dependency


async def counting(bench: Bench, redis: RedisServer, calls: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        engine = bench.engine(stack)
        alone = engine.call_limits(burst=1_000_000, monotonic=time.monotonic)
        lent = LentCalls(a_dependency(stack, redis))
        fast = engine.call_limits(burst=1_000_000, monotonic=time.monotonic, lent=lent)
        for limits in (alone, fast):
            await bench.one_by_one(limits, 200)
        figures = [Figure("counting a call in Postgres, p50", await bench.one_by_one(alone, calls), "ms", 2, "lower")]
        fast.by_loan = fast.asked = 0
        figures.append(Figure("with Redis, p50", await bench.one_by_one(fast, calls), "ms", 1, "lower"))
        share = 100 * fast.by_loan / (fast.by_loan + fast.asked)
        figures += [
            Figure("calls that Postgres was not asked about", share, "%", 80, "higher"),
            Figure(f"calls in Postgres, {AT_ONCE} at once", await bench.at_once(alone, calls), "/s", 1000, "higher"),
            Figure(f"with Redis, {AT_ONCE} at once", await bench.at_once(fast, calls), "/s", 1000, "higher"),
        ]
        await fast.aclose()
    return figures


async def reading(bench: Bench, redis: RedisServer, reads: int) -> list[Figure]:
    chance = random.Random(17)
    async with AsyncExitStack() as stack:
        changes = DefinitionChanges(DefinitionCache(a_dependency(stack, redis)))
        operator = bench.engine(stack, changes=changes)
        for number in range(WORKFLOWS):
            await operator.workflows.record(bench.workspace, "acme", f"flow-{number}", a_chain(3))
        known = [
            DefinitionReads(DefinitionCache(a_dependency(stack, redis)), monotonic=time.monotonic) for _ in range(2)
        ]
        replicas = [bench.engine(stack, reads=item) for item in known]
        listening = [asyncio.create_task(item.listen()) for item in known]
        await eventually(lambda: _all_hear(known), every=0.01)
        for number in range(reads):
            if number % READS_A_CHANGE == 0:
                changed = a_chain(1 + number // READS_A_CHANGE)
                await operator.workflows.record(bench.workspace, "acme", f"flow-{chance.randrange(WORKFLOWS)}", changed)
            replica = chance.choice(replicas)
            await replica.versions.workflow(bench.workspace, "acme", f"flow-{chance.randrange(WORKFLOWS)}")
        for task in listening:
            task.cancel()
            with suppress(asyncio.CancelledError, RedisAway):
                await task
        asked, read = sum(item.asked for item in known), sum(item.read for item in known)
    return [Figure("reads of definitions that Postgres was spared", 100 * (1 - asked / read), "%", 80, "higher")]


async def _all_hear(known: list[DefinitionReads]) -> bool:
    return all(item.hears for item in known)


async def measure(server: Server, redis: RedisServer, calls: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        limits = Limits(max_api_calls_per_hour=1_000_000_000)
        record = WorkspaceRecord("acme", limits, suspended=False)
        workspace = await Bench(server.url(RUNTIME), UUID(int=0)).engine(stack).workspaces.sync(record)
    bench = Bench(server.url(RUNTIME), workspace)
    return [*await counting(bench, redis, calls), *await reading(bench, redis, min(calls, 4000))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway_calls")
    parser.add_argument("--calls", type=int, default=5000)
    arguments = parser.parse_args()
    with a_server() as server, own_redis() as redis:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        figures = asyncio.run(measure(server, redis, arguments.calls))
    show(figures, f"python -m benchmarks.gateway_calls --calls {arguments.calls}")


if __name__ == "__main__":
    main()
