"""Test and Debug runs that are retried: they keep what finished and what they were told, and count for nothing."""

from __future__ import annotations

from uuid import UUID

import pytest

from headgate.api.circuit_breaker import CircuitBreaker
from headgate.api.debugging import RunMode
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.apart import GoingOn
from headgate.engine.types import Effects, NoRoom
from tests.builders import a_workflow
from tests.component.tried import chain, given_outputs, tried
from tests.component.world import World, one_node


async def retry(world: World, run: UUID, number: int = 1) -> Effects:
    return await world.engine.control.retry(world.ids["acme"], run, number)


async def go_on(world: World, run: UUID, *, resume: int = 0, step: int = 0) -> None:
    await world.engine.control.pass_breakpoint(world.ids["acme"], run, GoingOn(resume, step))


async def stands(world: World, run: UUID) -> str | None:
    """The node at which it stands."""
    at = (await world.view(run)).breakpoint
    return at.node if at is not None else None


async def test_what_finished_is_kept_and_what_failed_runs_under_a_new_number(world: World) -> None:
    given_outputs(world)
    await world.given(chain())
    run = await tried(world, mocks=[{"node": "a", "output": 1}])
    await world.succeed(run, "b", output="from b")
    await world.fail(run, "c")

    effects = await retry(world, run)

    assert (effects.tasks_queued, effects.finished) == (True, ())
    view = await world.view(run)
    assert (view.mode, view.phase, view.retries) == (RunMode.TEST, RunPhase.RUNNING, 1)
    assert [(node.phase, node.attempt, node.output) for node in view.nodes] == [
        (NodePhase.SUCCEEDED, 1, 1),
        (NodePhase.SUCCEEDED, 1, "from b"),
        (NodePhase.QUEUED, 2, None),
    ]
    [task] = await world.claim()
    assert (task.ref.attempt, task.container.args, str(task.mode)) == (2, ("from b",), "Test")
    await world.succeed(run, "c", attempt=2)
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_it_counts_for_nothing_and_waits_for_no_normal_run(world: World) -> None:
    await world.given_workspace(
        max_concurrent_runs=1, max_executions_per_day=1, breaker=CircuitBreaker(failure_threshold=1)
    )
    await world.given(one_node().with_input("text"))
    run = await world.admit(mode=RunMode.TEST, inputs={"text": "x" * 100})
    await world.fail(run)
    await world.admit(inputs={"text": "y"})
    await world.admit(inputs={"text": "z"})
    before = await world.usage()

    await retry(world, run)
    assert await world.phase(run) is RunPhase.RUNNING
    assert await world.usage() == before

    effects = await world.fail(run, attempt=2)
    assert (effects.finished, effects.breakers) == ((), frozenset())
    assert await world.usage() == before


async def test_a_number_counts_once_whoever_asks(world: World) -> None:
    await world.given(one_node())
    run = await tried(world)
    await world.fail(run)
    await retry(world, run)
    await world.fail(run, attempt=2)

    await world.another_engine().control.retry(world.ids["acme"], run, 1)
    assert await world.phase(run) is RunPhase.FAILED

    await retry(world, run, 2)
    assert [task.ref.attempt for task in await world.claim()] == [3]


async def test_where_five_are_under_way_nothing_is_written_and_later_it_succeeds(world: World) -> None:
    await world.given(one_node())
    failed = await tried(world)
    await world.fail(failed)
    others = [await tried(world) for _ in range(5)]
    before = await world.view(failed), await world.usage()

    with pytest.raises(NoRoom) as told:
        await retry(world, failed)

    assert told.value.refused.reason == "TestLimit"
    assert (await world.view(failed), await world.usage()) == before
    await world.succeed(others[0])
    await retry(world, failed)
    assert await world.phase(failed) is RunPhase.RUNNING


async def test_it_stops_anew_at_what_runs_again_and_not_at_what_is_kept(world: World) -> None:
    given_outputs(world)
    await world.given(chain())
    points = [{"node": "a", "at": "After"}, {"node": "b"}, {"node": "c", "at": "Failure"}]
    run = await tried(world, RunMode.DEBUG, mocks=[{"node": "a"}], breakpoints=points)
    await go_on(world, run, resume=1)
    await go_on(world, run, resume=2)
    await world.fail(run, "b")
    assert await world.phase(run) is RunPhase.FAILED

    await retry(world, run)

    assert await stands(world, run) == "b"
    assert await world.claim() == []
    await go_on(world, run, resume=2)
    assert await stands(world, run) == "b", "what was asked for before it was retried was done"
    await go_on(world, run, resume=3)
    await world.succeed(run, "b", attempt=2, output=1)
    await world.fail(run, "c")
    assert await stands(world, run) == "c"


async def test_one_that_went_by_steps_stands_before_what_failed(world: World) -> None:
    await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))
    run = await tried(world, RunMode.DEBUG, breakpoints=[{"node": "a"}])
    await go_on(world, run, step=1)
    await world.fail(run, "a")

    await retry(world, run)
    assert await stands(world, run) == "a"
    await go_on(world, run, step=2)
    await world.succeed(run, "a", attempt=2)

    assert await stands(world, run) == "b"


async def test_one_that_was_ended_where_it_stood_stands_there_again(world: World) -> None:
    await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))
    run = await tried(world, RunMode.DEBUG, mocks=[{"node": "a"}], breakpoints=[{"node": "b"}])
    await world.engine.control.stop(world.ids["acme"], run, "enough")
    assert await world.phase(run) is RunPhase.CANCELLED

    await retry(world, run)

    assert await stands(world, run) == "b"
    await go_on(world, run, resume=1)
    assert [task.ref.node for task in await world.claim()] == ["b"]


async def test_what_it_leaves_out_stays_left_out(world: World) -> None:
    await world.given(
        a_workflow()
        .with_node("a")
        .with_node("b", after=["a"])
        .with_node("c", after=["b"])
        .with_node("clean", after=["c"], final=True)
    )
    earlier = await world.admit()
    await world.succeed(earlier, "a", output=1)
    run = await tried(world, pinsFrom=str(earlier), startFrom="b", stopAfter="b")
    await world.fail(run, "b")

    await retry(world, run)
    await world.succeed(run, "b", attempt=2)

    view = await world.view(run)
    assert view.phase is RunPhase.SUCCEEDED
    assert [node.reason for node in view.nodes] == ["Pinned", "", "AfterStop", "AfterStop"]


async def test_one_of_which_nothing_has_to_wait_ends_at_once(world: World) -> None:
    await world.given(one_node())
    run = await tried(world, mocks=[{"node": "work", "failure": "no"}])

    effects = await retry(world, run)

    assert (effects.finished, effects.tasks_queued) == ((), False)
    view = await world.view(run)
    assert (view.phase, view.retries, view.nodes[0].attempt) == (RunPhase.FAILED, 1, 2)
