"""The end of a run is told once, however it comes about."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from headgate.api.workflow_run import RunPhase
from headgate.engine.types import FinishedRun
from tests.builders import a_workflow
from tests.component.world import World, one_node


async def test_success_and_failure_are_told_with_their_duration(world: World) -> None:
    await world.given(one_node())
    good, bad = await world.admit(), await world.admit()
    world.clock.advance(seconds=5)

    assert (await world.succeed(good, "work")).finished == (
        FinishedRun(good, "acme", RunPhase.SUCCEEDED, timedelta(seconds=5.001)),
    )
    assert (await world.fail(bad, "work")).finished == (
        FinishedRun(bad, "acme", RunPhase.FAILED, timedelta(seconds=5)),
    )


async def test_what_goes_on_is_not_told(world: World) -> None:
    await world.given(a_workflow().with_node("a", retry={"limit": 1}).with_node("b", after=["a"]))
    run = await world.admit()

    effects = [await world.fail(run, "a"), await world.succeed(run, "a", attempt=2)]

    assert [effect.finished for effect in effects] == [(), ()]


async def test_the_end_of_a_run_that_many_replicas_record_is_told_once(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()

    effects = await asyncio.gather(*(world.succeed(run, "work") for _ in range(8)))

    assert [told.run_id for effect in effects for told in effect.finished] == [run]


async def test_cancellation_is_told(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()

    effects = await world.engine.control.cancel(world.ids["acme"], run, "enough")

    assert [(told.run_id, told.phase) for told in effects.finished] == [(run, RunPhase.CANCELLED)]


async def test_a_run_that_took_too_long_is_told(world: World) -> None:
    await world.given(one_node().with_spec(timeout="1h"))
    run = await world.admit()
    world.clock.advance(hours=1)

    effects = await world.engine.control.expire_runs(world.clock.now)

    assert effects.finished == (FinishedRun(run, "acme", RunPhase.FAILED, timedelta(hours=1)),)


async def test_a_run_that_ends_as_it_starts_is_told(world: World) -> None:
    world.expressions.values["false"] = False
    idle = a_workflow("idle").with_condition("any", "false", after=["by-hand"]).with_node("work", after=["any"])
    await world.given(idle)

    _, effects = await world.engine.admit(world.request("idle"))

    assert [told.phase for told in effects.finished] == [RunPhase.SUCCEEDED]


async def test_a_run_that_had_to_wait_and_ends_as_it_starts_is_told_then(world: World) -> None:
    world.expressions.values["false"] = False
    idle = a_workflow("idle").with_condition("any", "false", after=["by-hand"]).with_node("work", after=["any"])
    await world.given(idle)
    await world.given_workspace(suspended=True)
    admitted, waiting = await world.engine.admit(world.request("idle"))
    await world.given_workspace()

    effects = await world.engine.start_pending(world.ids["acme"])

    assert waiting.finished == ()
    assert [told.run_id for told in effects.finished] == [admitted.run_id]  # type: ignore[union-attr]
