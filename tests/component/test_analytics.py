"""Days of analytics: what ended, each end once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from headgate.engine.types import Outcome
from tests.builders import a_workflow
from tests.component.priced import TODAY, folded, money, priced, work
from tests.component.replica import Fuse, Jobs, Killed, Replica, Script
from tests.component.world import World, one_node


async def test_a_day_tells_how_its_runs_ended_and_how_long_they_took(world: World) -> None:
    await priced(world).given(one_node())
    for seconds in (*[10] * 18, 100):
        await work(world, await world.admit(), seconds=seconds)
    await work(world, await world.admit(), seconds=10, succeeded=False, reason="ExitCode")

    view = await folded(world)
    assert (view.tally.total, view.tally.successful, view.tally.failed) == (20, 19, 1)
    assert view.tally.average_ms == 14_500
    assert view.p95_ms == pytest.approx(10_000, rel=0.045)
    assert view.attempts == 20
    assert money(view.cost) == "0.0029"
    [day] = view.days
    assert (day.day, day.tally, day.p95_ms) == (TODAY, view.tally, view.p95_ms)


async def test_each_workflow_has_days_of_its_own(world: World) -> None:
    await priced(world).given(one_node())
    await world.given(one_node("hourly"))
    await work(world, await world.admit(), seconds=10)
    await work(world, await world.admit("hourly"), seconds=20)
    await folded(world)

    view = await world.engine.analytics.view(world.ids["acme"], TODAY, TODAY, ("acme", "hourly"))
    assert view is not None
    assert (view.tally.total, view.tally.average_ms) == (1, 20_000)
    assert [node.workflow for node in view.slowest] == ["hourly"]
    assert await world.engine.analytics.view(world.ids["acme"], TODAY, TODAY, ("acme", "absent")) is None


async def test_the_slowest_nodes_come_first(world: World) -> None:
    await priced(world).given(a_workflow("nightly").with_node("a").with_node("b", after=["a"]))
    run = await world.admit()
    await work(world, run, "a", seconds=5)
    await work(world, run, "b", seconds=50)

    view = await folded(world)
    assert [(node.node, node.average_ms, node.attempts) for node in view.slowest] == [("b", 50_000, 1), ("a", 5000, 1)]


async def test_time_in_the_queue_is_that_from_being_asked_for_to_the_start(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await priced(world).given(one_node())
    first, second = await world.admit(), await world.admit()
    await work(world, first, seconds=30)
    await work(world, second, seconds=1)

    view = await folded(world)
    assert view.tally.queued == 2
    assert view.tally.average_queue_ms == pytest.approx(15_000, abs=2)


async def test_a_failed_run_that_is_taken_up_again_counts_once_as_it_ends_in_the_end(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    await work(world, run, succeeded=False, reason="ExitCode")
    await folded(world)
    await world.engine.control.retry(world.ids["acme"], run, 1)
    await work(world, run, attempt=2)

    view = await folded(world)
    assert (view.tally.total, view.tally.successful, view.tally.failed) == (1, 1, 0)
    assert view.p95_ms == pytest.approx(200_000, rel=0.045)
    assert money(view.cost) == "0.002"


async def test_adding_up_again_adds_nothing(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    await work(world, run)
    first = await folded(world)
    await world.engine.complete(world.ref(run, "work"), Outcome(succeeded=True))
    assert await folded(world) == first


async def test_several_that_add_up_at_once_count_each_end_once(world: World) -> None:
    await priced(world).given(one_node())
    for _ in range(5):
        await work(world, await world.admit())
    await asyncio.gather(*(world.engine.analytics.fold() for _ in range(5)))
    assert (await folded(world)).tally.total == 5


async def test_a_kill_before_or_after_any_write_counts_every_end_once(world: World) -> None:
    fails = Outcome(succeeded=False, reason="ExitCode", message="exit code 3", exit_code=3)

    async def tell(fuse: Fuse) -> tuple[object, ...]:
        name = f"w-{len(world.ids)}"
        world.clock.now = world.clock.now.replace(minute=5) + timedelta(minutes=1)
        await world.given_workspace(name)
        workflow = a_workflow("nightly").with_node("load", retry={"limit": 1, "initialDelay": "0s"})
        await world.given(workflow.with_node("next", after=["load"]), name)
        jobs, script = Jobs(), Script((world.request(workspace=name),), {"load/1": fails})
        try:
            await Replica(world, script, jobs, fuse).work()
        except Killed:
            await Replica(world, script, jobs, Fuse()).work()
        view = await folded(world, name)
        await world.engine.workspaces.retire(name)
        return view.tally.total, view.tally.successful, view.attempts, {n.node: n.attempts for n in view.slowest}

    whole = Fuse()
    expected = await tell(whole)
    assert expected[:2] == (1, 1)
    for after in (False, True):
        for number in range(1, whole.writes + 1):
            assert await tell(Fuse(at=number, after=after)) == expected, (after, number)


async def test_a_span_of_more_than_90_days_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="91 days: ask for 1 to 90"):
        await world.engine.analytics.view(world.ids["acme"], TODAY - timedelta(days=90), TODAY)
