"""Limits of calls to the API, counted in Postgres alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from tests.component.counted import Counting, PostgresClock, counting_replicas, stopped_clock
from tests.component.world import NOON, World
from tests.support.databases import TestDatabase


@pytest.fixture(autouse=True)
def clock(world: World, fresh: TestDatabase) -> Iterator[PostgresClock]:
    with stopped_clock(fresh.superuser_url) as clock:
        yield clock


@pytest.fixture
async def three(world: World) -> AsyncIterator[list[Counting]]:
    async with counting_replicas(world, 3, burst=100) as replicas:
        yield replicas


def wait_out_refusals(replicas: list[Counting]) -> None:
    """Let the time pass for which a refusal is believed."""
    for item in replicas:
        item.api.ticking.seconds += 1


async def test_of_calls_that_come_at_once_on_three_replicas_exactly_as_many_pass_as_are_left(
    world: World, three: list[Counting]
) -> None:
    await world.given_workspace(max_api_calls_per_hour=90)
    assert await three[0].passing(40, "bob") == 40
    passed = await asyncio.gather(*(three[number % 3].take(f"caller-{number}") for number in range(200)))
    assert sum(decision.passed for decision in passed) == 50


async def test_the_next_hour_has_all_of_it_again(world: World, three: list[Counting], clock: PostgresClock) -> None:
    await world.given_workspace(max_api_calls_per_hour=3)
    for hour in range(3):
        clock.set(NOON + timedelta(hours=hour))
        wait_out_refusals(three)
        assert await three[0].passing(5) == 3


async def test_windows_that_are_long_over_are_not_kept(
    world: World, three: list[Counting], clock: PostgresClock
) -> None:
    for hour in range(5):
        clock.set(NOON + timedelta(hours=hour))
        await three[0].take()
    assert len(await world.rows("SELECT 1 FROM headgate.workspace_rate_limits")) <= 4


async def test_one_caller_has_its_own_limit_a_minute_and_leaves_the_rest_to_others(
    three: list[Counting], clock: PostgresClock
) -> None:
    passed = await asyncio.gather(*(three[number % 3].passing(50) for number in range(3)))
    assert sum(passed) == 100
    assert await three[0].passing(1, "bob") == 1
    clock.set(NOON + timedelta(minutes=1))
    wait_out_refusals(three)
    assert await three[0].passing(1) == 1


async def test_a_refused_call_takes_nothing_of_the_hour(world: World, three: list[Counting]) -> None:
    await world.given_workspace(max_api_calls_per_hour=120)
    assert await three[0].passing(150) == 100
    assert await three[0].passing(150, "bob") == 20


async def test_one_workspace_takes_nothing_of_another(world: World, three: list[Counting]) -> None:
    await world.given_workspace("other", max_api_calls_per_hour=2)
    assert await three[0].passing(5, workspace="other") == 2
    assert await three[0].passing(5) == 5


async def test_a_limit_that_is_raised_counts_within_a_second(world: World, three: list[Counting]) -> None:
    await world.given_workspace(max_api_calls_per_hour=1)
    assert await three[0].passing(2) == 1
    await world.given_workspace(max_api_calls_per_hour=3)
    wait_out_refusals(three)
    assert await three[0].passing(5) == 2


async def test_workspaces_on_a_shared_quota_have_one_pot(world: World, three: list[Counting]) -> None:
    for name in ("acme", "other"):
        await world.given_workspace(name, pot="team", max_api_calls_per_hour=50)
    passed = await asyncio.gather(
        *(item.passing(40, f"user-{name}", name) for item in three for name in ("acme", "other"))
    )
    assert sum(passed) == 50


async def test_what_a_workspace_used_this_hour_moves_with_it_into_a_pot_and_out(
    world: World, three: list[Counting]
) -> None:
    await world.given_workspace(max_api_calls_per_hour=50)
    assert await three[0].passing(20) == 20
    await world.given_workspace(pot="team", max_api_calls_per_hour=50)
    await world.given_workspace("other", pot="team", max_api_calls_per_hour=50)
    assert await three[0].passing(40, "bob", "other") == 30
    await world.given_workspace(max_api_calls_per_hour=50)
    wait_out_refusals(three)
    assert await three[1].passing(40, "bob", "other") == 20


async def test_a_refusal_is_told_again_without_asking(world: World, three: list[Counting]) -> None:
    await world.given_workspace(max_api_calls_per_hour=0)
    asked = three[0].limits.asked
    assert [await three[0].passing(10) for _ in range(3)] == [0, 0, 0]
    assert three[0].limits.asked - asked == 10
