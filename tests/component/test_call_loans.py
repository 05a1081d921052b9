"""Limits of calls to the API where Redis hands out what Postgres lent, and where it stops to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.component.counted import Counting, PostgresClock, counting_replicas, stopped_clock
from tests.component.world import World
from tests.support.databases import TestDatabase
from tests.support.redis_server import RedisServer


@pytest.fixture(autouse=True)
def clock(world: World, fresh: TestDatabase) -> Iterator[PostgresClock]:
    with stopped_clock(fresh.superuser_url) as clock:
        yield clock


@pytest.fixture
async def three(world: World, redis: RedisServer) -> AsyncIterator[list[Counting]]:
    async with counting_replicas(world, 3, redis) as replicas:
        yield replicas


async def at_once(replicas: list[Counting], calls: int) -> int:
    """How many pass of calls of many callers that come at once, in turn to each replica."""
    decisions = await asyncio.gather(
        *(replicas[number % len(replicas)].take(f"caller-{number % 7}") for number in range(calls))
    )
    return sum(decision.passed for decision in decisions)


def later(replicas: list[Counting]) -> None:
    """Let the time pass for which refusals are believed, and Redis is left alone."""
    for item in replicas:
        item.api.ticking.seconds += 5


async def test_exactly_as_many_pass_as_there_are(world: World, three: list[Counting]) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    passed = 0
    for _ in range(10):
        passed += await at_once(three, 25)
    assert passed == 250
    assert await at_once(three, 200) == 50
    assert sum(item.limits.by_loan for item in three) > 100


async def test_they_do_when_redis_dies_in_between_with_calls_that_were_lent(
    world: World, three: list[Counting], redis: RedisServer
) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    assert await at_once(three, 30) == 30
    redis.kill()
    assert await at_once(three, 600) == 270


async def test_they_do_when_redis_dies_under_them_and_comes_back(
    world: World, three: list[Counting], redis: RedisServer
) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    passed = 0
    for number in range(6):
        calls = asyncio.create_task(at_once(three, 60))
        await asyncio.sleep(0)
        await asyncio.to_thread(redis.start if number % 2 else redis.kill)
        later(three)
        passed += await calls
    later(three)
    assert passed + await at_once(three, 200) == 300
