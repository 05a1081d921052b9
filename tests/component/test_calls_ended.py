"""Nodes that call other workflows, and the ends of both: by a timeout, by somebody, or held meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.store.errors import DatabaseUnavailable
from tests.component.callers import called, children, node
from tests.component.world import World, calling, chain, one_node


class TestTheTimeoutOfTheNode:
    async def test_cancels_the_run_and_fails_the_attempt(self, world: World) -> None:
        await world.given(one_node())
        await world.given(calling(timeout="5m"))
        parent = await world.admit("caller")
        child = await called(world)
        [task] = await world.claim()
        world.clock.advance(minutes=4)
        assert (await chain(world)).next_due is not None
        assert await world.phase(child) is RunPhase.RUNNING

        world.clock.advance(minutes=1)
        fired = await chain(world)

        assert fired.effects.cancelled == (task.ref,)
        view = await world.view(child)
        assert view.phase is RunPhase.CANCELLED
        assert view.error_message == f"node call of run {parent}, which called it, has reached its timeout"
        await chain(world)
        assert (await node(world, parent))[:2] == (NodePhase.FAILED, "Timeout")

    async def test_changes_nothing_where_the_run_was_faster(self, world: World) -> None:
        await world.given(one_node())
        await world.given(calling(timeout="5m"))
        parent = await world.admit("caller")
        child = await called(world)
        await world.succeed(child)
        world.clock.advance(minutes=6)
        await chain(world)
        assert await world.phase(parent) is RunPhase.SUCCEEDED
        assert await world.phase(child) is RunPhase.SUCCEEDED

    async def test_is_not_forgotten_when_the_replica_dies_before_it_has_cancelled(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await world.given(one_node())
        await world.given(calling(timeout="5m"))
        parent = await world.admit("caller")
        await called(world)
        world.clock.advance(minutes=6)

        async def dies(*_: Any) -> Any:
            raise DatabaseUnavailable("gone")

        with monkeypatch.context() as patched:
            patched.setattr(world.engine.control, "cancel", dies)
            with pytest.raises(DatabaseUnavailable):
                await chain(world)
        assert (await world.view(parent)).waiting[0].reason == "Timeout"
        world.clock.advance(seconds=31)
        await chain(world)
        await chain(world)
        assert (await node(world, parent))[:2] == (NodePhase.FAILED, "Timeout")


class TestTheEndOfTheCaller:
    async def test_that_is_graceful_is_so_for_what_it_called(self, world: World) -> None:
        await world.given(one_node().with_node("tidy-up", final=True))
        await world.given(calling().with_node("last", final=True))
        parent = await world.admit("caller")
        child = await called(world)
        [task] = await world.claim()
        await world.engine.record_jobs([(task.ref, "uid")])

        effects = await world.engine.control.stop(world.ids["acme"], parent, "enough")
        assert effects.stopping == (world.ref(parent, "call"),)
        effects = (await chain(world)).effects
        assert effects.stopping == (task.ref,)
        assert await world.phase(child) is RunPhase.RUNNING

        await world.fail(child)
        await world.succeed(child, "tidy-up")
        assert await world.phase(child) is RunPhase.CANCELLED
        await chain(world)
        assert (await world.phases(parent))["call"] is NodePhase.CANCELLED
        await world.succeed(parent, "last")
        assert await world.phase(parent) is RunPhase.CANCELLED

    async def test_that_is_graceful_makes_no_call_any_more(self, world: World) -> None:
        await world.given(one_node())
        await world.given(calling().with_node("last", final=True))
        parent = await world.admit("caller")
        await world.engine.control.stop(world.ids["acme"], parent, "enough")
        await chain(world)
        assert await children(world) == []
        assert (await world.phases(parent))["call"] is NodePhase.CANCELLED

    async def test_cancels_what_it_called_and_what_that_called(self, world: World) -> None:
        await world.given(one_node())
        await world.given(calling(name="middle"))
        await world.given(calling("middle"))
        parent = await world.admit("caller")
        middle = await called(world, "middle")
        child = await called(world)

        await world.engine.control.cancel(world.ids["acme"], parent, "no")
        await chain(world)
        await chain(world)

        assert [await world.phase(run) for run in (parent, middle, child)] == [RunPhase.CANCELLED] * 3
        assert (await world.view(middle)).error_message == f"run {parent}, which called it, has ended"
        await chain(world)
        assert await world.rows("SELECT FROM headgate.run_endings") == []

    async def test_by_its_timeout_does_so_too(self, world: World) -> None:
        await world.given(one_node())
        await world.given(calling().with_spec(timeout="1m"))
        await world.admit("caller")
        child = await called(world)
        await world.engine.control.expire_runs(world.clock.advance(minutes=2))
        await chain(world)
        assert await world.phase(child) is RunPhase.CANCELLED

    async def test_before_the_call_leaves_no_run(self, world: World) -> None:
        await world.given(one_node())
        await world.given(calling())
        await world.engine.control.cancel(world.ids["acme"], await world.admit("caller"), "no")
        await chain(world)
        assert await children(world) == []

    async def test_during_the_call_leaves_no_run_that_goes_on(self, world: World) -> None:
        await world.given(one_node())
        await world.given(calling())
        parents = [await world.admit("caller") for _ in range(10)]
        world.clock.advance(milliseconds=1)
        await asyncio.gather(
            world.engine.chain_runs(world.clock.now),
            *(world.another_engine().control.cancel(world.ids["acme"], parent, "no") for parent in parents),
        )
        await chain(world)
        assert {child.phase for child in await children(world)} <= {RunPhase.CANCELLED}


class TestACallerThatIsHeld:
    async def test_calls_when_it_goes_on(self, world: World) -> None:
        await world.given(one_node())
        await world.given(calling())
        parent = await world.admit("caller")
        await world.engine.control.suspend(world.ids["acme"], parent, "a look")
        await chain(world)
        assert await children(world) == []
        await world.engine.control.resume(world.ids["acme"], parent)
        await world.succeed(await called(world))
        await chain(world)
        assert await world.phase(parent) is RunPhase.SUCCEEDED

    async def test_hears_of_the_end_of_what_it_called_before(self, world: World) -> None:
        await world.given(one_node())
        await world.given(calling().with_node("next", after=["call"]))
        parent = await world.admit("caller")
        child = await called(world)
        await world.engine.control.suspend(world.ids["acme"], parent, "a look")
        await world.succeed(child)
        await chain(world)
        assert (await world.phases(parent)) == {"call": NodePhase.SUCCEEDED, "next": NodePhase.PENDING}
