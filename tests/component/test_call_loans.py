"""Limits of calls to the API where Redis hands out what Postgres lent, and where it stops to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from headgate.engine.call_limits.counting import LOAN
from tests.component.counted import Counting, PostgresClock, counting_replicas, looking, stopped_clock
from tests.component.world import World
from tests.support.databases import TestDatabase
from tests.support.redis_server import RedisServer, own_redis


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


async def test_what_was_saved_of_loans_before_they_were_spent_is_worth_nothing(
    world: World, three: list[Counting], redis: RedisServer
) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    assert await at_once(three, 3) == 3
    with redis.client() as client:
        client.save()
    passed = 3 + await at_once(three, 60)
    redis.kill()
    redis.start()
    with redis.client() as client:
        assert client.keys() != []
    # One that has seen nothing of it before, and two that have.
    async with counting_replicas(world, 1, redis) as fresh:
        passed += await at_once(fresh, 100)
        later(three)
        async with looking(*three, *fresh):
            assert passed + await at_once(three, 600) == 300


async def test_what_redis_forgets_while_it_lives_is_given_back(
    world: World, three: list[Counting], redis: RedisServer
) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    passed = await at_once(three, 30)
    with redis.client() as client:
        client.flushall()
    async with looking(*three):
        assert passed + await at_once(three, 600) == 300


async def test_a_replica_that_alone_does_not_see_redis_lets_no_more_pass(
    world: World, redis: RedisServer, tmp_path: Path
) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    async with counting_replicas(world, 3, redis, redis, RedisServer(tmp_path)) as replicas:
        passed = 0
        for _ in range(6):
            passed += await at_once(replicas, 60)
        later(replicas)
        assert passed + await at_once(replicas[:2], 200) == 300


async def test_replicas_that_see_different_servers_let_no_more_pass(world: World, redis: RedisServer) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    with own_redis() as another:
        async with counting_replicas(world, 3, redis, another) as replicas:
            passed = 0
            for _ in range(6):
                passed += await at_once(replicas, 60)
            later(replicas)
            passed += await at_once(replicas[:1], 100)
            later(replicas)
            assert passed + await at_once(replicas[1:], 100) == 300


async def test_of_a_replica_that_died_with_redis_the_loans_are_not_given_back(
    world: World, three: list[Counting], redis: RedisServer
) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    passed = sum([await at_once(three, 30) for _ in range(3)])
    assert all(item.limits.by_loan for item in three)
    redis.kill()
    passed += await at_once(three[:2], 600)
    assert 300 - 2 * LOAN <= passed < 300


async def test_a_replica_that_ends_tells_what_it_spent(world: World, three: list[Counting], redis: RedisServer) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    passed = await at_once(three, 30)
    await three[2].limits.aclose()
    redis.kill()
    assert passed + await at_once(three[:2], 600) == 300


async def test_a_replica_that_nobody_calls_notices_that_redis_is_gone(
    world: World, three: list[Counting], redis: RedisServer
) -> None:
    await world.given_workspace(max_api_calls_per_hour=300)
    passed = await at_once(three, 30)
    redis.kill()
    await three[2].limits.look()
    assert passed + await at_once(three[:2], 600) == 300


@pytest.mark.parametrize("seed", range(3))
async def test_exactly_as_many_pass_whatever_becomes_of_redis(
    world: World, three: list[Counting], redis: RedisServer, seed: int
) -> None:
    """The order of what happens is drawn: callers of all replicas, and in between Redis dies, starts, or is missed."""
    chance = random.Random(seed)
    await world.given_workspace(max_api_calls_per_hour=400)
    passed, runs = 0, True
    for _ in range(25):
        calls = asyncio.create_task(at_once(chance.sample(three, 3), chance.randint(1, 30)))
        await asyncio.sleep(0)
        match chance.choice(["nothing", "nothing", "toggle", "time", "look"]):
            case "toggle":
                await asyncio.to_thread(redis.kill if runs else redis.start)
                runs = not runs
            case "time":
                later(three)
            case "look":
                await asyncio.gather(*(item.limits.look() for item in three))
        passed += await calls
    assert passed <= 400
    async with looking(*three):
        for _ in range(2):
            later(three)
            passed += await at_once(three, 300)
    assert passed == 400


async def test_one_caller_has_no_more_a_minute_when_redis_dies(world: World, redis: RedisServer) -> None:
    async with counting_replicas(world, 3, redis, burst=100) as replicas:
        passed = sum(await asyncio.gather(*(item.passing(10) for item in replicas)))
        redis.kill()
        passed += sum(await asyncio.gather(*(item.passing(50) for item in replicas)))
        assert passed == 100


async def test_with_redis_most_calls_ask_postgres_nothing(world: World, three: list[Counting]) -> None:
    for _ in range(100):
        assert await three[0].passing(1) == 1
    assert three[0].limits.by_loan >= 90
