"""Runs whose time is over while final nodes have not run yet."""

from __future__ import annotations

from typing import Any

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.types import Effects
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.world import World

REASON = "Timeout: the run took longer than 1h"


def with_clean_up(**members: Any) -> WorkflowBuilder:
    """Two nodes that may take an hour, and one that cleans up after them; members are others of that one."""
    nodes = a_workflow().with_node("a").with_node("b", after=["a"])
    return nodes.with_node("clean", after=["b"], final=True, **members).with_spec(timeout="1h")


async def begun(world: World, workflow: WorkflowBuilder) -> Any:
    """A run whose first node has its Job."""
    await world.given(workflow)
    run = await world.admit()
    await have_jobs(world)
    return run


async def have_jobs(world: World) -> None:
    for task in await world.claim():
        await world.engine.record_jobs([(task.ref, f"uid-{task.ref.node}")])


async def later(world: World, **time: float) -> Effects:
    return await world.engine.control.expire_runs(world.clock.advance(**time))


async def test_what_runs_is_asked_to_end_and_final_nodes_run_before_the_run_fails(world: World) -> None:
    run = await begun(world, with_clean_up())

    effects = await later(world, hours=1)

    assert (effects.stopping, effects.cancelled) == ((world.ref(run, "a"),), ())
    assert await world.phase(run) is RunPhase.RUNNING
    await world.fail(run, "a", reason="JobDeleted")
    assert [task.ref.node for task in await world.claim()] == ["clean"]
    await world.succeed(run, "clean")
    view = await world.view(run)
    assert (view.phase, view.error_message) == (RunPhase.FAILED, REASON)
    assert {node.id: (node.phase, node.reason) for node in view.nodes} == {
        "a": (NodePhase.CANCELLED, "Timeout"),
        "b": (NodePhase.CANCELLED, "Timeout"),
        "clean": (NodePhase.SUCCEEDED, ""),
    }
    assert (await world.usage())["running"] == 0


async def test_final_nodes_read_that_the_run_failed(world: World) -> None:
    config = {"container": {"image": "shop/clean:1", "args": ["${{ run.phase }}"]}}
    nodes = a_workflow().with_node("a").with_node("clean", config, after=["a"], final=True)
    run = await begun(world, nodes.with_spec(timeout="1h"))
    await later(world, hours=1)
    world.expressions.values["run.phase"] = "as it was read"

    await world.fail(run, "a", reason="JobDeleted")

    assert world.expressions.seen[-1]["run"]["phase"] == "Failed"


async def test_final_nodes_have_ten_minutes_more(world: World) -> None:
    run = await begun(world, with_clean_up())
    await later(world, hours=1)
    await world.fail(run, "a", reason="JobDeleted")
    assert await later(world, minutes=9) == Effects()

    effects = await later(world, minutes=1)

    assert effects.runs == {run}
    view = await world.view(run)
    assert (view.phase, view.error_message) == (RunPhase.FAILED, REASON)
    assert (await world.usage())["running"] == 0


async def test_final_nodes_have_the_time_that_they_say_where_that_is_more(world: World) -> None:
    run = await begun(world, with_clean_up(timeout="30m"))
    await later(world, hours=1)

    assert await later(world, minutes=29) == Effects()
    await later(world, minutes=1)
    assert await world.phase(run) is RunPhase.FAILED


async def test_a_final_node_that_is_under_way_when_the_time_is_over_goes_on(world: World) -> None:
    run = await begun(world, with_clean_up())
    for name in ("a", "b"):
        await world.succeed(run, name)
        await have_jobs(world)

    effects = await later(world, hours=1)

    assert (effects.stopping, effects.cancelled) == ((), ())
    assert (await world.phases(run))["clean"] is NodePhase.QUEUED
    await world.succeed(run, "clean")
    assert await world.phase(run) is RunPhase.FAILED


async def test_a_run_that_is_cancelled_at_the_last_minute_has_time_to_clean_up(world: World) -> None:
    run = await begun(world, with_clean_up())
    world.clock.advance(minutes=59)
    await world.engine.control.stop(world.ids["acme"], run, "cancelled by spec.cancel")

    assert await later(world, minutes=2) == Effects()
    await world.fail(run, "a", reason="JobDeleted")
    await world.succeed(run, "clean")
    assert await world.phase(run) is RunPhase.CANCELLED


async def test_a_run_that_is_held_when_its_time_is_over_cleans_up(world: World) -> None:
    run = await begun(world, with_clean_up())
    await world.engine.control.suspend(world.ids["acme"], run, "held by spec.suspend")

    await later(world, hours=1)

    await world.fail(run, "a", reason="JobDeleted")
    await world.succeed(run, "clean")
    assert await world.phase(run) is RunPhase.FAILED


async def test_a_retry_begins_with_the_whole_time(world: World) -> None:
    run = await begun(world, with_clean_up())
    await later(world, hours=1)
    await world.fail(run, "a", reason="JobDeleted")
    await world.succeed(run, "clean")

    await world.engine.control.retry(world.ids["acme"], run, 1)
    await world.engine.start_pending(world.ids["acme"])

    assert await later(world, minutes=59) == Effects()
    await world.succeed(run, "a", attempt=2)
    await world.succeed(run, "b")
    await world.succeed(run, "clean", attempt=2)
    assert await world.phase(run) is RunPhase.SUCCEEDED
