"""A run from its request to its end."""

from __future__ import annotations

from headgate.api.workflow_run import NodePhase, RunPhase
from tests.builders import a_workflow, container
from tests.component.world import World, one_node


async def test_a_run_of_one_node_goes_from_queued_to_succeeded(world: World) -> None:
    await world.given(one_node())

    run = await world.admit()
    assert await world.phases(run) == {"work": NodePhase.QUEUED}

    [task] = await world.claim()
    assert (task.ref.node, task.workspace, task.namespace, task.workflow) == ("work", "acme", "acme", "nightly")
    await world.engine.mark_running(task.ref, world.clock.advance(seconds=1))
    assert await world.phases(run) == {"work": NodePhase.RUNNING}

    world.clock.advance(seconds=2)
    effects = await world.succeed(run, "work", {"rows": 7})
    view = await world.view(run)
    assert effects.runs == {run}
    assert view.phase is RunPhase.SUCCEEDED
    assert view.nodes[0].output == {"rows": 7}
    assert (view.finished_at, view.error_message, view.waiting) == (world.clock.now, None, ())


async def test_parallel_branches_meet_in_a_node_that_waits_for_both(world: World) -> None:
    await world.given(
        a_workflow().with_node("a").with_node("b").with_node("join", after=["a", "b"], config=container("img"))
    )
    run = await world.admit()
    assert {task.ref.node for task in await world.claim()} == {"a", "b"}

    await world.succeed(run, "a")
    assert await world.claim() == []
    effects = await world.succeed(run, "b")
    assert effects.tasks_queued
    assert [task.ref.node for task in await world.claim()] == ["join"]
    await world.succeed(run, "join")

    assert await world.phase(run) is RunPhase.SUCCEEDED
    assert (await world.usage())["running"] == 0
