"""Circuit breakers: too many failed runs hold back the next ones, until a few that are tried succeed."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from headgate.api.circuit_breaker import BreakerState, CircuitBreaker
from headgate.api.workflow_run import RunPhase
from headgate.engine.types import BreakerView
from tests.component.world import World, one_node

TWO = CircuitBreaker(failure_threshold=2, window="5m", cool_down="1m", half_open_runs=2)


@pytest.fixture
async def breaking(world: World) -> World:
    """A world whose workspace opens its breaker at two failures."""
    await world.given_workspace(breaker=TWO)
    await world.given(one_node())
    return world


async def breaker(world: World) -> BreakerView:
    [usage] = await world.engine.workspaces.usage()
    return usage.breaker


async def state(world: World) -> BreakerState:
    return (await breaker(world)).state


async def open_up(world: World) -> None:
    """Let two runs fail, a second ago."""
    for run in [await world.admit(), await world.admit()]:
        await world.fail(run)
    assert await state(world) is BreakerState.OPEN
    world.clock.advance(seconds=1)


async def test_it_opens_and_new_runs_wait_and_say_until_when(breaking: World) -> None:
    await open_up(breaking)

    [waiting] = (await breaking.view(await breaking.admit())).waiting

    assert waiting.reason == "CircuitOpen"
    assert waiting.until == (await breaker(breaking)).retry_at
    assert "headgate.dev/reset-circuit-breaker" in waiting.message


async def test_whoever_is_told_of_the_failure_is_told_of_the_breaker(breaking: World) -> None:
    first, second = await breaking.admit(), await breaking.admit()

    assert not (await breaking.fail(first)).breakers
    assert (await breaking.fail(second)).breakers == {breaking.ids["acme"]}


async def test_it_does_not_open_for_runs_that_succeed_or_are_cancelled(breaking: World) -> None:
    for _ in range(4):
        await breaking.succeed(await breaking.admit())
        await breaking.engine.control.cancel(breaking.ids["acme"], await breaking.admit(), "no")

    assert await state(breaking) is BreakerState.CLOSED


async def test_a_run_that_takes_too_long_counts(breaking: World) -> None:
    await breaking.given(one_node().with_spec(timeout="1s"))
    for _ in range(2):
        await breaking.admit()
    breaking.clock.advance(seconds=2)

    effects = await breaking.engine.control.expire_runs(breaking.clock.now)

    assert effects.breakers
    assert await state(breaking) is BreakerState.OPEN


async def test_after_it_cooled_down_exactly_so_many_are_tried_however_many_ask(breaking: World) -> None:
    await open_up(breaking)
    breaking.clock.advance(minutes=1)

    runs = await asyncio.gather(*(breaking.admit() for _ in range(20)))

    assert Counter([await breaking.phase(run) for run in runs]) == {RunPhase.RUNNING: 2, RunPhase.PENDING: 18}
    assert await state(breaking) is BreakerState.HALF_OPEN


async def test_it_closes_when_those_succeed_and_all_that_waited_start(breaking: World) -> None:
    await open_up(breaking)
    breaking.clock.advance(minutes=1)
    runs = [await breaking.admit() for _ in range(5)]
    await breaking.succeed(runs[0])
    assert await state(breaking) is BreakerState.HALF_OPEN

    effects = await breaking.succeed(runs[1])

    assert effects.breakers
    assert await state(breaking) is BreakerState.CLOSED
    assert {await breaking.phase(run) for run in runs[2:]} == {RunPhase.RUNNING}


async def test_it_opens_again_when_one_of_those_fails(breaking: World) -> None:
    await open_up(breaking)
    breaking.clock.advance(minutes=1)
    first, second = await breaking.admit(), await breaking.admit()
    await breaking.succeed(first)

    await breaking.fail(second)

    assert await state(breaking) is BreakerState.OPEN
    assert await breaking.phase(await breaking.admit()) is RunPhase.PENDING


async def test_one_that_is_cancelled_is_replaced_by_another(breaking: World) -> None:
    await open_up(breaking)
    breaking.clock.advance(minutes=1)
    runs = [await breaking.admit() for _ in range(3)]
    assert await breaking.phase(runs[2]) is RunPhase.PENDING

    await breaking.engine.control.cancel(breaking.ids["acme"], runs[0], "no")

    assert await breaking.phase(runs[2]) is RunPhase.RUNNING


async def test_runs_of_before_neither_close_it_nor_open_it_again(breaking: World) -> None:
    late = [await breaking.admit() for _ in range(2)]
    await open_up(breaking)
    breaking.clock.advance(minutes=1)
    tried = await breaking.admit()

    await breaking.fail(late[0])
    await breaking.succeed(late[1])

    assert await state(breaking) is BreakerState.HALF_OPEN
    await breaking.succeed(tried)
    assert await state(breaking) is BreakerState.HALF_OPEN


async def test_what_waited_starts_by_itself_when_it_has_cooled_down(breaking: World) -> None:
    await open_up(breaking)
    run = await breaking.admit()
    await breaking.engine.start_all_pending()
    assert await breaking.phase(run) is RunPhase.PENDING

    breaking.clock.advance(minutes=1)
    await breaking.engine.start_all_pending()

    assert await breaking.phase(run) is RunPhase.RUNNING


async def test_a_person_closes_it_once_for_every_new_word(breaking: World) -> None:
    await open_up(breaking)
    waiting = await breaking.admit()

    effects = await breaking.engine.workspaces.reset_breaker(breaking.ids["acme"], "alice, noon")

    assert effects.breakers
    assert (await breaker(breaking)).reset == "alice, noon"
    assert await breaking.phase(waiting) is RunPhase.RUNNING
    await breaking.succeed(waiting)
    await open_up(breaking)
    assert not (await breaking.engine.workspaces.reset_breaker(breaking.ids["acme"], "alice, noon")).breakers
    assert await state(breaking) is BreakerState.OPEN


async def test_another_replica_sees_it_as_it_is(breaking: World) -> None:
    await open_up(breaking)

    answer, _ = await breaking.another_engine().admit(breaking.request())

    [run] = [row["status"] for row in await breaking.rows("SELECT status, id FROM headgate.workflow_executions")][2:]
    assert run == "Pending", answer


async def test_the_breaker_of_one_workspace_is_not_another_s(breaking: World) -> None:
    await breaking.given_workspace("other")
    await breaking.given(one_node(), "other")
    await open_up_acme(breaking)

    assert await breaking.phase(await breaking.admit(workspace="other"), "other") is RunPhase.RUNNING


async def open_up_acme(world: World) -> None:
    for run in [await world.admit(), await world.admit()]:
        await world.fail(run)


async def test_fewer_runs_to_try_in_the_middle_of_it_do_not_make_it_stick(breaking: World) -> None:
    await open_up(breaking)
    breaking.clock.advance(minutes=1)
    await breaking.succeed(await breaking.admit())

    await breaking.given_workspace(breaker=TWO.model_copy(update={"half_open_runs": 1}))
    await breaking.succeed(await breaking.admit())

    assert await state(breaking) is BreakerState.CLOSED
