"""Holding runs, and letting them go on."""

from __future__ import annotations

from typing import Any

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.types import Effects, Waiting
from tests.builders import a_workflow
from tests.component.world import World, one_node


async def suspend(world: World, run: Any) -> Effects:
    return await world.engine.control.suspend(world.ids["acme"], run, "set spec.suspend to false to let it go on")


async def resume(world: World, run: Any) -> Effects:
    return await world.engine.control.resume(world.ids["acme"], run)


async def test_nothing_more_is_claimed_and_the_run_says_why(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()

    await suspend(world, run)

    view = await world.view(run)
    assert view.phase is RunPhase.SUSPENDED
    assert view.waiting == (Waiting("RunSuspended", "set spec.suspend to false to let it go on"),)
    world.clock.advance(hours=1)
    assert await world.claim() == []
    assert (await resume(world, run)).tasks_queued
    assert [task.ref.node for task in await world.claim()] == ["work"]
    assert (await world.view(run)).waiting == ()


async def test_what_runs_goes_on_its_end_is_recorded_and_nothing_follows(world: World) -> None:
    await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))
    run = await world.admit()
    [task] = await world.claim()
    await world.engine.record_jobs([(task.ref, "uid")])
    await suspend(world, run)

    await world.succeed(run, "a", output={"n": 1})

    assert await world.phases(run) == {"a": NodePhase.SUCCEEDED, "b": NodePhase.PENDING}
    assert await world.phase(run) is RunPhase.SUSPENDED
    await resume(world, run)
    assert [task.ref.node for task in await world.claim()] == ["b"]
    await world.succeed(run, "b")
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_a_run_whose_last_node_ended_meanwhile_ends_when_it_goes_on(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    await world.claim()
    await suspend(world, run)
    await world.succeed(run, output=1)
    assert await world.phase(run) is RunPhase.SUSPENDED
    assert (await world.usage())["running"] == 1

    effects = await resume(world, run)

    assert [ended.phase for ended in effects.finished] == [RunPhase.SUCCEEDED]
    assert (await world.usage())["running"] == 0


async def test_a_retry_waits_too_and_comes_no_earlier_than_it_would_have(world: World) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "4m"}))
    run = await world.admit()
    await world.claim()
    await suspend(world, run)
    await world.fail(run)

    world.clock.advance(minutes=2)
    await resume(world, run)

    assert await world.claim() == []
    world.clock.advance(minutes=2)
    assert [task.ref.attempt for task in await world.claim()] == [2]


async def test_a_retry_of_a_held_run_is_not_claimed_when_its_time_comes(world: World) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
    run = await world.admit()
    await world.claim()
    await suspend(world, run)
    await world.fail(run)

    assert await world.claim() == []
    await resume(world, run)
    assert [task.ref.attempt for task in await world.claim()] == [2]


async def test_a_job_that_is_being_made_is_made_once(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    [task] = await world.claim()
    await suspend(world, run)
    assert (await world.engine.record_jobs([(task.ref, "uid")])).cancelled == ()

    await resume(world, run)

    assert await world.claim() == []


async def test_a_run_that_waits_for_room_leaves_the_line_and_joins_it_again(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    first, second, third = await world.admit(), await world.admit(), await world.admit()
    await suspend(world, second)
    assert (await world.usage())["queued"] == 1

    await world.succeed(first)

    assert [await world.phase(run) for run in (second, third)] == [RunPhase.SUSPENDED, RunPhase.RUNNING]
    await resume(world, second)
    assert await world.phase(second) is RunPhase.PENDING
    await world.succeed(third)
    assert await world.phase(second) is RunPhase.RUNNING
    usage = await world.usage()
    assert (usage["running"], usage["queued"], usage["executions"]) == (1, 0, 3)


async def test_the_deadline_goes_on_counting(world: World) -> None:
    await world.given(one_node().with_spec(timeout="1h"))
    run = await world.admit()
    await suspend(world, run)

    await world.engine.control.expire_runs(world.clock.advance(hours=1))

    assert await world.phase(run) is RunPhase.FAILED
    assert (await world.usage())["running"] == 0


async def test_a_suspended_run_can_be_ended_both_ways(world: World) -> None:
    await world.given(a_workflow().with_node("a").with_node("clean", after=["a"], final=True))
    graceful, hard = await world.admit(), await world.admit()
    for run in (graceful, hard):
        await suspend(world, run)

    await world.engine.control.stop(world.ids["acme"], graceful, "no")
    await world.engine.control.cancel(world.ids["acme"], hard, "no")

    assert [(task.ref.run_id, task.ref.node) for task in await world.claim()] == [(graceful, "clean")]
    assert await world.phase(hard) is RunPhase.CANCELLED
    await world.succeed(graceful, "clean")
    assert await world.phase(graceful) is RunPhase.CANCELLED
    assert (await world.usage())["running"] == 0


async def test_a_run_that_was_asked_to_end_is_not_held(world: World) -> None:
    await world.given(a_workflow().with_node("a").with_node("clean", after=["a"], final=True))
    run = await world.admit()
    await world.engine.control.stop(world.ids["acme"], run, "no")

    await suspend(world, run)

    assert await world.phase(run) is RunPhase.RUNNING


async def test_both_can_be_repeated(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    await suspend(world, run)
    assert await suspend(world, run) == Effects(frozenset([run]))
    await resume(world, run)
    assert await resume(world, run) == Effects(frozenset([run]))
    assert await world.phase(run) is RunPhase.RUNNING


async def test_items_go_on_where_they_stood(world: World) -> None:
    world.expressions.values["inputs.all"] = [1, 2]
    await world.given(
        a_workflow().with_input("all").with_node("each", forEach={"items": "inputs.all", "parallelism": 1})
    )
    run = await world.admit()
    await world.claim()
    await suspend(world, run)
    await world.succeed(run, "each.0", output="one")
    assert await world.claim() == []

    await resume(world, run)

    assert [task.ref.node for task in await world.claim()] == ["each.1"]
    await world.succeed(run, "each.1", output="two")
    assert await world.phase(run) is RunPhase.SUCCEEDED
