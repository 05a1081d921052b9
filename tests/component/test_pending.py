"""Runs that had to wait start when there is room, the oldest first."""

from __future__ import annotations

import asyncio
from uuid import UUID

from headgate.api.workflow_run import RunPhase
from tests.builders import a_workflow
from tests.component.world import World, one_node


async def running(world: World, *runs: UUID) -> list[bool]:
    return [await world.phase(run) is RunPhase.RUNNING for run in runs]


async def test_the_oldest_starts_when_a_run_ends(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    first, second, third = await world.admit(), await world.admit(), await world.admit()

    effects = await world.succeed(first, "work")

    assert await running(world, second, third) == [True, False]
    assert effects.runs == {first, second}
    assert effects.tasks_queued
    assert (await world.view(second)).waiting == ()


async def test_a_newcomer_does_not_overtake_those_who_wait(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    await world.admit()
    waiting = await world.admit()
    await world.given_workspace(max_concurrent_runs=2)

    newcomer, effects = await world.engine.admit(world.request())

    assert await running(world, waiting) == [True]
    assert waiting in effects.runs
    assert await running(world, newcomer.run_id) == [False]  # type: ignore[union-attr]


async def test_all_start_that_there_is_room_for_when_limits_are_raised(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=0)
    await world.given(one_node())
    runs = [await world.admit() for _ in range(3)]
    await world.given_workspace(max_concurrent_runs=2)

    await world.engine.start_pending(world.ids["acme"])

    assert await running(world, *runs) == [True, True, False]


async def test_all_start_when_the_workspace_is_unsuspended(world: World) -> None:
    await world.given(one_node())
    await world.given_workspace(suspended=True)
    runs = [await world.admit(), await world.admit()]
    await world.given_workspace()

    await world.engine.start_pending(world.ids["acme"])

    assert await running(world, *runs) == [True, True]
    assert (await world.usage())["queued"] == 0


async def test_all_start_when_the_workflow_is_unsuspended(world: World) -> None:
    await world.given(one_node().with_spec(suspend=True))
    runs = [await world.admit(), await world.admit()]
    await world.given(one_node())

    await world.engine.start_pending(world.ids["acme"])

    assert await running(world, *runs) == [True, True]
    usage = await world.usage()
    assert (usage["running"], usage["queued"]) == (2, 0)


async def test_a_suspended_workflow_holds_up_no_other_one(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node("held"))
    await world.given(one_node("free"))
    first = await world.admit("free")
    held = await world.admit("held")
    await world.given(one_node("held").with_spec(suspend=True))
    free = await world.admit("free")

    await world.succeed(first, "work")

    assert await running(world, held, free) == [False, True]


async def test_the_sweep_starts_what_a_crash_left_waiting(world: World) -> None:
    await world.given_workspace("other", max_concurrent_runs=1)
    await world.given(one_node(), "other")
    first = await world.admit(workspace="other")
    second = await world.admit(workspace="other")
    # What a process leaves behind that ended the first run and died before it could start the second.
    await world.rows("UPDATE headgate.workspace_usage SET running = running - 1 WHERE running > 0 RETURNING 1")
    await world.rows(
        "UPDATE headgate.workflow_executions SET status = 'Failed', finished_at = started_at WHERE id = %s RETURNING 1",
        first,
    )

    effects = await world.engine.start_all_pending()

    assert effects.runs == {second}
    assert await world.phase(second, "other") is RunPhase.RUNNING


async def test_the_sweep_starts_what_waited_for_the_next_day(world: World) -> None:
    await world.given_workspace(max_executions_per_day=1)
    await world.given(one_node())
    await world.admit()
    waiting = await world.admit()
    assert (await world.engine.start_all_pending()).runs == frozenset()
    world.clock.advance(hours=12)

    await world.engine.start_all_pending()

    assert await running(world, waiting) == [True]


async def test_a_run_that_waited_begins_with_the_version_that_it_was_admitted_with(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    first, second = await world.admit(), await world.admit()
    await world.given(one_node().with_node("more", after=["work"]))

    await world.succeed(first, "work")

    view = await world.view(second)
    assert (view.phase, view.version, [node.id for node in view.nodes]) == (RunPhase.RUNNING, 1, ["work"])


async def test_many_that_start_at_once_take_no_place_twice(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=0)
    await world.given(one_node())
    for _ in range(8):
        await world.admit()
    await world.given_workspace(max_concurrent_runs=5)

    await asyncio.gather(*(world.engine.start_pending(world.ids["acme"]) for _ in range(6)))

    usage = await world.usage()
    assert (usage["running"], usage["queued"]) == (5, 3)
    assert len(await world.rows("SELECT FROM headgate.tasks")) == 5


async def test_trouble_in_one_workspace_leaves_the_others_alone(world: World) -> None:
    world.expressions.values["inputs.day"] = RuntimeError("no child process")
    broken = a_workflow().with_input("day").with_condition("day", "inputs.day", after=["by-hand"])
    for name, workflow in (("broken", broken), ("good", one_node())):
        await world.given_workspace(name)
        await world.given(workflow, name)
        await world.given_workspace(name, suspended=True)
    waiting = await world.admit(workspace="good")
    world.expressions.values["inputs.day"] = True
    await world.admit(workspace="broken")
    world.expressions.values["inputs.day"] = RuntimeError("no child process")
    for name in ("broken", "good"):
        await world.given_workspace(name)

    await world.engine.start_all_pending()

    assert await world.phase(waiting, "good") is RunPhase.RUNNING


async def test_an_end_is_told_even_when_the_next_run_cannot_be_started(world: World) -> None:
    world.expressions.values["inputs.day"] = True
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    await world.given(a_workflow("other").with_input("day").with_condition("day", "inputs.day", after=["by-hand"]))
    run = await world.admit()
    await world.admit("other")
    world.expressions.values["inputs.day"] = RuntimeError("no child process")

    effects = await world.succeed(run, "work")

    assert [told.run_id for told in effects.finished] == [run]
