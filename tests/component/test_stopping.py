"""Ending a run gracefully."""

from __future__ import annotations

from typing import Any

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.types import Effects, Outcome
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.world import World, one_node


def with_clean_up() -> WorkflowBuilder:
    """Two nodes one after the other, and one that cleans up after them."""
    return a_workflow().with_node("a").with_node("b", after=["a"]).with_node("clean", after=["b"], final=True)


async def stop(world: World, run: Any) -> Effects:
    return await world.engine.control.stop(world.ids["acme"], run, "cancelled by spec.cancel")


async def under_way(world: World, *nodes: str) -> None:
    """Claims what is due, and tells of the Jobs of these nodes."""
    for task in await world.claim():
        if task.ref.node in nodes:
            await world.engine.record_jobs([(task.ref, f"uid-{task.ref.node}")])


async def test_what_runs_is_asked_to_end_and_final_nodes_run_afterwards(world: World) -> None:
    await world.given(with_clean_up())
    run = await world.admit()
    await under_way(world, "a")

    effects = await stop(world, run)

    assert effects.stopping == (world.ref(run, "a"),)
    assert effects.cancelled == ()
    assert await world.phases(run) == {
        "a": NodePhase.QUEUED,
        "b": NodePhase.CANCELLED,
        "clean": NodePhase.PENDING,
    }
    assert (await world.view(run)).cancelling
    await world.fail(run, "a", reason="JobDeleted")
    assert (await world.phases(run))["a"] is NodePhase.CANCELLED
    assert [task.ref.node for task in await world.claim()] == ["clean"]
    await world.succeed(run, "clean")
    view = await world.view(run)
    assert (view.phase, view.error_message) == (RunPhase.CANCELLED, "cancelled by spec.cancel")
    assert (await world.usage())["running"] == 0


async def test_what_nobody_has_begun_never_starts(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()

    effects = await stop(world, run)

    assert effects.runs == {run}
    assert await world.phase(run) is RunPhase.CANCELLED
    assert await world.phases(run) == {"work": NodePhase.CANCELLED}
    assert await world.claim() == []


async def test_a_job_that_may_be_on_its_way_is_listed_as_cancelled(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    [task] = await world.claim()

    assert (await stop(world, run)).cancelled == (task.ref,)
    assert (await world.engine.record_jobs([(task.ref, "uid")])).cancelled == (task.ref,)


async def test_what_succeeds_while_it_is_asked_to_end_has_succeeded(world: World) -> None:
    await world.given(with_clean_up())
    run = await world.admit()
    await under_way(world, "a")
    await stop(world, run)

    await world.succeed(run, "a", output=7)

    assert (await world.phases(run))["a"] is NodePhase.SUCCEEDED
    await world.claim()
    await world.succeed(run, "clean")
    assert await world.phase(run) is RunPhase.CANCELLED


async def test_an_attempt_that_is_asked_to_end_is_not_repeated(world: World) -> None:
    await world.given(one_node(retry={"limit": 3}))
    run = await world.admit()
    await under_way(world, "work")
    await stop(world, run)

    await world.fail(run, reason="JobDeleted")

    [node] = (await world.view(run)).nodes
    assert (node.phase, node.attempt, node.reason) == (NodePhase.CANCELLED, 1, "Cancelled")
    assert await world.phase(run) is RunPhase.CANCELLED


async def test_a_final_node_is_repeated_as_ever(world: World) -> None:
    await world.given(
        a_workflow()
        .with_node("a")
        .with_node("clean", after=["a"], final=True, retry={"limit": 1, "initialDelay": "0s"})
    )
    run = await world.admit()
    await stop(world, run)
    await world.claim()
    await world.fail(run, "clean")

    assert [task.ref.attempt for task in await world.claim()] == [2]


async def test_asking_again_changes_nothing(world: World) -> None:
    await world.given(with_clean_up())
    run = await world.admit()
    await under_way(world, "a")
    await stop(world, run)

    assert await stop(world, run) == Effects(frozenset([run]))


async def test_hard_comes_after_graceful(world: World) -> None:
    await world.given(with_clean_up())
    run = await world.admit()
    await under_way(world, "a")
    await stop(world, run)

    effects = await world.engine.control.cancel(world.ids["acme"], run, "cancelled by spec.cancelNow")

    assert effects.cancelled == (world.ref(run, "a"),)
    assert await world.phase(run) is RunPhase.CANCELLED
    assert await world.phases(run) == dict.fromkeys(("a", "b", "clean"), NodePhase.CANCELLED)


async def test_a_run_that_waits_is_cancelled_at_once_and_runs_nothing(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(with_clean_up())
    first, second, third = await world.admit(), await world.admit(), await world.admit()

    await stop(world, second)

    assert await world.phase(second) is RunPhase.CANCELLED
    assert set((await world.phases(second)).values()) == {NodePhase.CANCELLED}
    assert (await world.usage())["queued"] == 1
    await stop(world, first)
    assert [await world.phase(run) for run in (first, third)] == [RunPhase.RUNNING, RunPhase.PENDING]
    await world.claim()
    await world.succeed(first, "clean")
    assert await world.phase(third) is RunPhase.RUNNING


async def test_items_under_way_end_before_final_nodes_start_and_no_other_item_does(world: World) -> None:
    world.expressions.values["inputs.all"] = [1, 2, 3]
    await world.given(
        a_workflow()
        .with_input("all")
        .with_node("each", forEach={"items": "inputs.all", "parallelism": 1}, onFailure="Continue")
        .with_node("clean", after=["each"], final=True)
    )
    run = await world.admit()
    await under_way(world, "each.0")

    effects = await stop(world, run)

    assert effects.stopping == (world.ref(run, "each.0"),)
    assert (await world.phases(run))["each"] is NodePhase.RUNNING
    await world.fail(run, "each.0", reason="JobDeleted")
    assert await world.phases(run) == {"each": NodePhase.CANCELLED, "clean": NodePhase.QUEUED}
    assert [task.ref.node for task in await world.claim()] == ["clean"]


async def test_an_overdue_run_that_was_asked_to_end_is_cancelled(world: World) -> None:
    await world.given(with_clean_up().with_spec(timeout="1h"))
    run = await world.admit()
    await under_way(world, "a")
    await stop(world, run)

    await world.engine.control.expire_runs(world.clock.advance(hours=1))

    assert await world.phase(run) is RunPhase.CANCELLED


async def test_open_attempts_tell_that_they_are_to_end(world: World) -> None:
    await world.given(with_clean_up())
    run = await world.admit()
    await under_way(world, "a")
    assert [task.stopping for task in await world.engine.open_tasks()] == [False]

    await stop(world, run)

    assert [task.stopping for task in await world.engine.open_tasks()] == [True]


async def test_two_replicas_that_end_and_stop_a_run_at_once_leave_one_end(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    await under_way(world, "work")
    await stop(world, run)
    again = await world.another_engine().complete(world.ref(run, "work"), Outcome(False, reason="JobDeleted"))

    assert again.finished
    assert (await world.fail(run)).finished == ()
    assert (await world.usage())["running"] == 0
