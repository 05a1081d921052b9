"""Ending runs before their time."""

from __future__ import annotations

import asyncio

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.types import Admitted, Effects, Refused
from tests.builders import a_workflow
from tests.component.world import World, one_node


async def test_what_has_not_ended_is_cancelled_and_jobs_under_way_are_listed(world: World) -> None:
    await world.given(
        a_workflow().with_node("a").with_node("b").with_node("c").with_node("last", after=["a", "b", "c"])
    )
    run = await world.admit()
    claimed = await world.claim(limit=2)
    await world.engine.record_jobs([(claimed[0].ref, "uid")])
    await world.succeed(run, claimed[1].ref.node)
    world.clock.advance(seconds=5)

    effects = await world.engine.control.cancel(world.ids["acme"], run, "cancelled by spec.cancel")

    assert effects.cancelled == (claimed[0].ref,)
    view = await world.view(run)
    assert (view.phase, view.error_message) == (RunPhase.CANCELLED, "cancelled by spec.cancel")
    assert view.finished_at == world.clock.now
    phases = await world.phases(run)
    assert phases.pop(claimed[1].ref.node) is NodePhase.SUCCEEDED
    assert set(phases.values()) == {NodePhase.CANCELLED}
    assert await world.engine.open_tasks() == ()
    assert (await world.usage())["running"] == 0


async def test_a_run_that_has_ended_stays_as_it_is(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    await world.succeed(run, "work")

    assert await world.engine.control.cancel(world.ids["acme"], run, "too late") == Effects(frozenset([run]))
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_the_end_of_an_attempt_of_a_cancelled_run_changes_nothing(world: World) -> None:
    await world.given(one_node(retry={"limit": 3}))
    run = await world.admit()
    await world.engine.control.cancel(world.ids["acme"], run, "no")

    assert await world.fail(run, "work") == Effects(frozenset([run]))
    assert await world.phases(run) == {"work": NodePhase.CANCELLED}


async def test_a_run_that_waits_never_starts(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    first, second, third = await world.admit(), await world.admit(), await world.admit()

    await world.engine.control.cancel(world.ids["acme"], second, "no")
    await world.succeed(first, "work")

    assert [await world.phase(run) for run in (second, third)] == [RunPhase.CANCELLED, RunPhase.RUNNING]
    usage = await world.usage()
    assert (usage["running"], usage["queued"]) == (1, 0)


async def test_cancelling_makes_room_for_the_next(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    first, second = await world.admit(), await world.admit()

    effects = await world.engine.control.cancel(world.ids["acme"], first, "no")

    assert effects.runs == {first, second}
    assert effects.tasks_queued
    assert await world.phase(second) is RunPhase.RUNNING


async def test_cancelling_and_ending_at_once_leaves_one_end_and_exact_counts(world: World) -> None:
    await world.given(one_node())
    runs = [await world.admit() for _ in range(10)]

    await asyncio.gather(
        *(world.succeed(run, "work") for run in runs),
        *(world.engine.control.cancel(world.ids["acme"], run, "no") for run in runs),
    )

    for run in runs:
        view = await world.view(run)
        assert (view.phase, view.nodes[0].phase) in {
            (RunPhase.SUCCEEDED, NodePhase.SUCCEEDED),
            (RunPhase.CANCELLED, NodePhase.CANCELLED),
        }
    assert (await world.usage())["running"] == 0


class TestTheResourceIsDeleted:
    async def test_while_its_run_is_under_way(self, world: World) -> None:
        await world.given(one_node())
        run = await world.admit(key="resource:1", resource="nightly-1")
        assert await world.engine.open_resource_keys() == ((world.ids["acme"], "resource:1"),)

        assert (await world.engine.control.cancel_resource(world.ids["acme"], "resource:1")).runs == {run}

        assert await world.phase(run) is RunPhase.CANCELLED
        assert await world.engine.open_resource_keys() == ()

    async def test_before_it_was_admitted_so_that_it_never_starts(self, world: World) -> None:
        await world.given(one_node())

        assert await world.engine.control.cancel_resource(world.ids["acme"], "resource:1") == Effects()

        assert (await world.refused(key="resource:1")).reason == "Cancelled"
        assert await world.engine.run_by_key(world.ids["acme"], "resource:1") is None
        assert await world.engine.control.cancel_resource(world.ids["acme"], "resource:1") == Effects()

    async def test_while_it_is_being_admitted_so_that_nothing_of_it_goes_on(self, world: World) -> None:
        await world.given(one_node())
        keys = [f"resource:{i}" for i in range(12)]

        await asyncio.gather(
            *(world.engine.admit(world.request(key=key)) for key in keys),
            *(world.engine.control.cancel_resource(world.ids["acme"], key) for key in keys),
        )

        for key in keys:
            view = await world.engine.run_by_key(world.ids["acme"], key)
            assert view is None or view.phase is RunPhase.CANCELLED
            answer, _ = await world.engine.admit(world.request(key=key))
            assert isinstance(answer, Refused) if view is None else answer == Admitted(view.run_id, duplicate=True)
        assert (await world.usage())["running"] == 0


class TestTimeout:
    async def test_a_run_that_takes_too_long_fails_and_its_attempts_are_ended(self, world: World) -> None:
        await world.given(a_workflow().with_node("a").with_node("b", after=["a"]).with_spec(timeout="1h"))
        run = await world.admit()
        [task] = await world.claim()
        world.clock.advance(minutes=59)
        assert await world.engine.control.expire_runs(world.clock.now) == Effects()

        effects = await world.engine.control.expire_runs(world.clock.advance(minutes=1))

        assert effects.runs == {run}
        assert effects.cancelled == (task.ref,)
        view = await world.view(run)
        assert (view.phase, view.error_message) == (RunPhase.FAILED, "Timeout: the run took longer than 1h")
        assert {(node.phase, node.reason) for node in view.nodes} == {(NodePhase.CANCELLED, "Timeout")}
        assert (await world.usage())["running"] == 0

    async def test_the_time_that_a_run_waited_for_room_does_not_count(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node("long"))
        await world.given(one_node("short").with_spec(timeout="1h"))
        first, second = await world.admit("long"), await world.admit("short")
        world.clock.advance(hours=5)
        await world.succeed(first, "work")

        world.clock.advance(minutes=59)
        assert (await world.engine.control.expire_runs(world.clock.now)).runs == frozenset()
        assert await world.phase(second) is RunPhase.RUNNING

    async def test_a_run_that_ended_in_time_is_left_alone(self, world: World) -> None:
        await world.given(one_node().with_spec(timeout="1h"))
        run = await world.admit()
        await world.succeed(run, "work")

        assert await world.engine.control.expire_runs(world.clock.advance(hours=2)) == Effects()
        assert await world.phase(run) is RunPhase.SUCCEEDED

    async def test_an_overdue_run_makes_room_for_the_next(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node().with_spec(timeout="1h"))
        await world.admit()
        waiting = await world.admit()

        await world.engine.control.expire_runs(world.clock.advance(hours=1))

        assert await world.phase(waiting) is RunPhase.RUNNING
