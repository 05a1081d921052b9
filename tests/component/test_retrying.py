"""Running the failed nodes of a run again."""

from __future__ import annotations

from typing import Any

from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.types import Effects, Waiting
from tests.builders import a_workflow, container
from tests.component.world import World, one_node


async def retry(world: World, run: Any, number: int = 1) -> Effects:
    return await world.engine.control.retry(world.ids["acme"], run, number)


async def test_finished_nodes_are_kept_with_their_outputs_and_failed_ones_run_under_a_new_number(world: World) -> None:
    world.expressions.values["nodes.a.output.n"] = lambda known: known["nodes"]["a"]["output"]["n"]
    await world.given(
        a_workflow()
        .with_node("a")
        .with_node("b", container(args=["${{ nodes.a.output.n }}"]), after=["a"])
        .with_node("c", after=["b"])
    )
    run = await world.admit()
    await world.succeed(run, "a", output={"n": 4})
    await world.fail(run, "b")
    assert await world.phase(run) is RunPhase.FAILED

    effects = await retry(world, run)

    assert effects.tasks_queued
    view = await world.view(run)
    assert (view.phase, view.retries, view.error_message, view.finished_at) == (RunPhase.RUNNING, 1, None, None)
    assert [(node.id, node.phase, node.attempt) for node in view.nodes] == [
        ("a", NodePhase.SUCCEEDED, 1),
        ("b", NodePhase.QUEUED, 2),
        ("c", NodePhase.PENDING, 0),
    ]
    [task] = await world.claim()
    assert (task.ref.attempt, task.container.args) == (2, ("4",))
    await world.succeed(run, "b", attempt=2)
    await world.succeed(run, "c")
    assert await world.phase(run) is RunPhase.SUCCEEDED
    usage = await world.usage()
    assert (usage["running"], usage["queued"], usage["executions"]) == (0, 0, 2)


async def test_what_each_attempt_came_to_stays_recorded(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    await world.fail(run)
    await retry(world, run)
    await world.succeed(run, attempt=2)

    rows = await world.rows("SELECT attempt, phase FROM headgate.workflow_execution_steps ORDER BY attempt")
    assert [(row["attempt"], row["phase"]) for row in rows] == [(1, "Failed"), (2, "Succeeded")]


async def test_a_number_counts_once(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    await world.fail(run)
    await retry(world, run)
    await world.fail(run, attempt=2)

    await retry(world, run, 1)
    assert await world.phase(run) is RunPhase.FAILED

    await retry(world, run, 5)
    assert (await world.view(run)).retries == 5
    assert [task.ref.attempt for task in await world.claim()] == [3]


async def test_only_what_failed_or_was_cancelled_is_run_again(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()

    assert await retry(world, run) == Effects(frozenset([run]))
    assert (await world.view(run)).retries == 0
    await world.succeed(run)
    assert await retry(world, run) == Effects(frozenset([run]))
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_a_cancelled_run_goes_on_from_where_it_was_cut_short(world: World) -> None:
    await world.given(a_workflow().with_node("a").with_node("b", after=["a"]).with_node("c", after=["b"]))
    run = await world.admit()
    await world.succeed(run, "a")
    await world.claim()
    await world.engine.control.cancel(world.ids["acme"], run, "no")

    await retry(world, run)

    [task] = await world.claim()
    assert (task.ref.node, task.ref.attempt) == ("b", 2)
    await world.succeed(run, "b", attempt=2)
    await world.succeed(run, "c", attempt=1)
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_where_there_is_no_room_it_waits_with_the_oldest_first(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    first, second, third = await world.admit(), await world.admit(), await world.admit()
    await world.fail(first)
    assert await world.phase(second) is RunPhase.RUNNING

    await retry(world, first)

    view = await world.view(first)
    assert view.phase is RunPhase.PENDING
    assert [waiting.reason for waiting in view.waiting] in (["Queued"], ["ConcurrencyLimit"])
    assert [node.phase for node in view.nodes] == [NodePhase.PENDING]
    await world.succeed(second)
    assert [await world.phase(run) for run in (first, third)] == [RunPhase.RUNNING, RunPhase.PENDING]


async def test_it_counts_as_a_start_and_waits_for_the_next_day_where_the_day_is_used_up(world: World) -> None:
    await world.given_workspace(max_executions_per_day=1, on_exceeded=OnExceeded.REJECT)
    await world.given(one_node())
    run = await world.admit()
    await world.fail(run)

    await retry(world, run)

    view = await world.view(run)
    assert view.phase is RunPhase.PENDING
    assert [waiting.reason for waiting in view.waiting] == ["DailyLimit"]
    world.clock.advance(hours=13)
    await world.engine.start_all_pending()
    assert await world.phase(run) is RunPhase.RUNNING


async def test_a_retried_run_that_waits_can_be_cancelled_and_retried_again(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    first, second = await world.admit(), await world.admit()
    await world.fail(first)
    await retry(world, first)

    await world.engine.control.stop(world.ids["acme"], first, "no")

    assert await world.phase(first) is RunPhase.CANCELLED
    assert (await world.usage())["queued"] == 0
    await world.succeed(second)
    await retry(world, first, 2)
    [attempt] = [task.ref.attempt for task in await world.claim() if task.ref.run_id == first]
    assert attempt == 3


async def test_retries_of_a_node_count_anew(world: World) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
    run = await world.admit()
    await world.fail(run)
    await world.fail(run, attempt=2)
    await retry(world, run)

    await world.fail(run, attempt=3)

    assert await world.phase(run) is RunPhase.RUNNING
    await world.fail(run, attempt=4)
    assert await world.phase(run) is RunPhase.FAILED


async def test_the_time_of_a_retried_run_counts_from_its_new_start(world: World) -> None:
    await world.given(one_node().with_spec(timeout="1h"))
    run = await world.admit()
    world.clock.advance(minutes=50)
    await world.fail(run)
    await retry(world, run)

    await world.engine.control.expire_runs(world.clock.advance(minutes=50))
    assert await world.phase(run) is RunPhase.RUNNING
    await world.engine.control.expire_runs(world.clock.advance(minutes=10))
    assert await world.phase(run) is RunPhase.FAILED


async def test_final_nodes_run_again_and_what_followed_a_failure_is_kept(world: World) -> None:
    await world.given(
        a_workflow().with_node("a").with_node("alarm", after=["a:failed"]).with_node("clean", after=["a"], final=True)
    )
    run = await world.admit()
    await world.fail(run, "a")
    await world.succeed(run, "alarm")
    await world.succeed(run, "clean", output="first")
    await retry(world, run)
    await world.succeed(run, "a", attempt=2)

    assert await world.phases(run) == {
        "a": NodePhase.SUCCEEDED,
        "alarm": NodePhase.SUCCEEDED,
        "clean": NodePhase.QUEUED,
    }
    await world.succeed(run, "clean", attempt=2, output="second")
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_of_a_list_only_the_items_that_failed_run_again(world: World) -> None:
    world.expressions.values["inputs.all"] = ["x", "y", "z"]
    await world.given(
        a_workflow()
        .with_input("all")
        .with_node("each", forEach={"items": "inputs.all", "parallelism": 3})
        .with_node("after", after=["each"])
    )
    run = await world.admit()
    await world.succeed(run, "each.0", output="X")
    await world.fail(run, "each.1")
    await world.succeed(run, "each.2", output="Z")
    assert await world.phase(run) is RunPhase.FAILED

    await retry(world, run)

    assert [(task.ref.node, task.ref.attempt) for task in await world.claim()] == [("each.1", 2)]
    await world.succeed(run, "each.1", attempt=2, output="Y")
    view = await world.view(run)
    assert (view.nodes[0].phase, view.nodes[0].output) == (NodePhase.SUCCEEDED, ["X", "Y", "Z"])
    assert view.nodes[1].phase is NodePhase.QUEUED


async def test_what_is_kept_is_counted_once(world: World) -> None:
    await world.given(one_node().with_input("text"))
    run = await world.admit(inputs={"text": "x" * 100})
    before = (await world.usage())["storage_bytes"]
    await world.fail(run)
    await retry(world, run)

    assert (await world.usage())["storage_bytes"] == before > 100


async def test_a_retried_run_can_be_held_before_it_starts(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    first, second = await world.admit(), await world.admit()
    await world.fail(first)
    await retry(world, first)
    await world.engine.control.suspend(world.ids["acme"], first, "wait")
    await world.succeed(second)

    assert (await world.view(first)).waiting == (Waiting("RunSuspended", "wait"),)
    await world.engine.control.resume(world.ids["acme"], first)
    assert [(task.ref.run_id, task.ref.attempt) for task in await world.claim() if task.ref.run_id == first] == [
        (first, 2)
    ]
    assert (await world.view(first)).retries == 1
