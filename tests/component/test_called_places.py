"""Runs that call runs where places, mutexes and limits are scarce: nobody waits for who waits for him."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from headgate.api.circuit_breaker import BreakerState, CircuitBreaker
from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.types import Effects, RunFilter
from tests.builders import WorkflowBuilder
from tests.component.world import World, calling, chain, one_node


def calling_twice(workflow: str = "nightly", name: str = "caller") -> WorkflowBuilder:
    """A workflow of two nodes, ``call`` and ``again``, that call another one at the same time."""
    return calling(workflow, name).with_node("again", {"workflow": {"name": workflow}})


async def under_way(world: World, workflow: str = "nightly") -> list[UUID]:
    """The Running runs of a workflow, the oldest first."""
    wanted = RunFilter(phases=frozenset([RunPhase.RUNNING]), workflow=("acme", workflow))
    page = await world.engine.list_runs(world.ids["acme"], wanted)
    return [run.run_id for run in reversed(page.runs)]


async def waiting(world: World, workflow: str = "nightly") -> list[tuple[UUID, str | None]]:
    """The Pending runs of a workflow and what they wait for, the oldest first."""
    wanted = RunFilter(phases=frozenset([RunPhase.PENDING]), workflow=("acme", workflow))
    page = await world.engine.list_runs(world.ids["acme"], wanted)
    return [(run.run_id, run.waiting) for run in reversed(page.runs)]


@pytest.fixture
def nobody_starts_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not start when it is admitted waits for ever."""

    async def start_pending(_: UUID) -> Effects:
        return Effects()

    monkeypatch.setattr(world.engine, "start_pending", start_pending)


async def counted(world: World) -> tuple[int, int]:
    """Places that are taken, and runs that wait for one."""
    usage = await world.usage()
    return usage["running"], usage["queued"]


class TestThePlaceOfTheCaller:
    async def test_is_the_called_runs_where_callers_fill_the_workspace(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=2)
        await world.given(one_node())
        await world.given(calling())
        parents = [await world.admit("caller"), await world.admit("caller")]

        await chain(world)

        called = await under_way(world)
        assert len(called) == 2
        assert await counted(world) == (2, 0)
        for run in called:
            await world.succeed(run)
        await chain(world)
        assert {await world.phase(parent) for parent in parents} == {RunPhase.SUCCEEDED}
        assert await counted(world) == (0, 0)

    async def test_is_taken_past_those_who_wait_for_places(self, world: World, nobody_starts_later: None) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        await world.given(one_node("other"))
        await world.given(calling())
        await world.admit("caller")
        other = await world.admit("other", priority=100)

        await chain(world)

        assert len(await under_way(world)) == 1
        assert await world.phase(other) is RunPhase.PENDING

    async def test_is_not_for_two_called_runs_at_once(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        await world.given(calling_twice())
        parent = await world.admit("caller")
        await chain(world)
        [(second, reason)] = await waiting(world)
        assert reason == "ConcurrencyLimit"

        await world.succeed((await under_way(world))[0])

        assert await under_way(world) == [second]
        await world.succeed(second)
        await chain(world)
        assert await world.phase(parent) is RunPhase.SUCCEEDED

    async def test_comes_to_the_next_called_run_though_others_wait_before_it(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        await world.given(one_node("other"))
        await world.given(calling_twice())
        await world.admit("caller")
        other = await world.admit("other", priority=100)
        await chain(world)

        await world.succeed((await under_way(world))[0])

        assert len(await under_way(world)) == 1
        assert await world.phase(other) is RunPhase.PENDING

    async def test_leaves_others_to_take_places_as_ever(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=2)
        await world.given(one_node())
        await world.given(calling_twice())
        await world.admit("caller")

        await chain(world)

        assert len(await under_way(world)) == 2
        assert await counted(world) == (2, 0)
        assert await world.phase(await world.admit()) is RunPhase.PENDING

    async def test_refuses_a_second_called_run_where_the_plan_rejects(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1, on_exceeded=OnExceeded.REJECT)
        await world.given(one_node())
        await world.given(calling_twice())
        parent = await world.admit("caller")

        await chain(world)

        reasons = {node.phase: node.reason for node in (await world.view(parent)).nodes}
        assert reasons[NodePhase.FAILED] == "ConcurrencyLimit"
        assert len(await under_way(world)) <= 1

    async def test_is_one_for_a_whole_chain_of_calls(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        await world.given(calling(name="middle"))
        await world.given(calling("middle"))
        await world.admit("caller")
        await chain(world)
        await chain(world)
        assert len(await under_way(world)) == 1
        assert await counted(world) == (1, 0)

    async def test_in_a_pot_is_the_called_runs_too(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1, pot="team")
        await world.given(one_node())
        await world.given(calling())
        await world.admit("caller")
        await chain(world)
        assert len(await under_way(world)) == 1
        assert (await world.pot("team"))["running"] == 1


async def test_usage_tells_places_and_runs_apart(world: World) -> None:
    await world.given(one_node())
    await world.given(calling())
    await world.admit("caller")
    await chain(world)

    [usage] = await world.engine.workspaces.usage()

    assert (usage.running, usage.borrowed) == (1, 1)
    assert await world.engine.workspaces.running_runs("acme") == 2


class TestTheEndOfTheCaller:
    async def test_leaves_its_place_to_who_is_in_it_until_that_one_ends(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        await world.given(calling())
        parent = await world.admit("caller")
        await chain(world)
        other = await world.admit()

        await world.engine.control.cancel(world.ids["acme"], parent, "no")
        assert await counted(world) == (1, 1)
        assert await world.phase(other) is RunPhase.PENDING
        await chain(world)

        assert await under_way(world) == [other]
        assert await counted(world) == (1, 0)

    async def test_in_the_middle_of_a_chain_does_not_let_the_first_call_another(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        await world.given(calling(name="middle"))
        await world.given(calling("middle", retry={"limit": 1, "initialDelay": "1s"}))
        await world.admit("caller")
        await chain(world)
        await chain(world)
        [middle] = await under_way(world, "middle")

        await world.engine.control.cancel(world.ids["acme"], middle, "no")

        [loan] = await world.rows("SELECT run_id, lender FROM headgate.borrowed_places")
        assert [loan["run_id"]] == await under_way(world)
        assert [loan["lender"]] == await under_way(world, "caller")
        assert await counted(world) == (1, 0)


class TestMutex:
    @pytest.mark.parametrize("concurrency", [{"mutex": "deploy"}, {"limit": 1}], ids=str)
    async def test_of_a_caller_is_no_obstacle_for_what_it_calls(
        self, world: World, nobody_starts_later: None, concurrency: dict[str, Any]
    ) -> None:
        await world.given(one_node().with_spec(concurrency={"mutex": "deploy"}))
        await world.given(calling(name="middle"))
        await world.given(calling("middle").with_spec(concurrency=concurrency))
        await world.admit("caller")
        await world.admit("caller")
        await chain(world)

        await chain(world)

        assert len(await under_way(world)) == 1

    async def test_is_had_by_one_of_two_called_runs_after_the_other(self, world: World) -> None:
        await world.given(one_node().with_spec(concurrency={"mutex": "deploy"}))
        await world.given(calling_twice().with_spec(concurrency={"mutex": "deploy"}))
        parent = await world.admit("caller")
        await chain(world)
        [first], [(second, reason)] = await under_way(world), await waiting(world)
        assert reason == "Mutex"
        [waits] = (await world.view(second)).waiting
        assert f"run {first} of workflow nightly holds" in waits.message

        await world.succeed(first)

        assert await under_way(world) == [second]
        await world.succeed(second)
        await chain(world)
        assert await world.phase(parent) is RunPhase.SUCCEEDED

    async def test_of_a_called_run_keeps_others_out(self, world: World) -> None:
        await world.given(one_node().with_spec(concurrency={"mutex": "deploy"}))
        await world.given(calling().with_spec(concurrency={"mutex": "deploy"}))
        parent = await world.admit("caller")
        await chain(world)
        other = await world.admit()
        assert await waiting(world) == [(other, "Mutex")]

        await world.succeed((await under_way(world))[0])
        assert await waiting(world) == [(other, "Mutex")]
        await chain(world)

        assert await world.phase(parent) is RunPhase.SUCCEEDED
        assert await under_way(world) == [other]

    async def test_is_not_had_with_a_caller_that_does_not_wait_for_a_retried_run(self, world: World) -> None:
        await world.given(one_node().with_spec(concurrency={"mutex": "deploy"}))
        call = calling(onFailure="Continue").with_node("next", after=["call"])
        await world.given(call.with_spec(concurrency={"mutex": "deploy"}))
        await world.admit("caller")
        await chain(world)
        [child] = await under_way(world)
        await world.fail(child)
        await chain(world)

        await world.engine.control.retry(world.ids["acme"], child, 1)

        assert await waiting(world) == [(child, "Mutex")]


class TestLimitOfAWorkflow:
    async def test_does_not_hold_up_runs_that_call_themselves(self, world: World, nobody_starts_later: None) -> None:
        await world.given(calling("caller").with_spec(concurrency={"limit": 1}))
        first = await world.admit("caller")
        await world.admit("caller")
        for _ in range(40):
            await chain(world)
        depths = await world.rows("SELECT max(depth) AS depth FROM headgate.workflow_executions")
        assert depths == [{"depth": 8}]
        assert await world.phase(first) is RunPhase.FAILED

    async def test_does_not_hold_them_up_either_where_they_had_to_wait(self, world: World) -> None:
        await world.given(calling_twice("caller").with_spec(concurrency={"limit": 1}))
        first = await world.admit("caller")
        await chain(world)
        [_, second], [(third, reason)] = await under_way(world, "caller"), await waiting(world, "caller")
        assert reason == "WorkflowConcurrency"

        await world.engine.control.cancel(world.ids["acme"], second, "no")

        assert await under_way(world, "caller") == [first, third]

    async def test_holds_up_others_while_a_called_run_is_under_way(self, world: World) -> None:
        await world.given(one_node().with_spec(concurrency={"limit": 1}))
        await world.given(calling_twice())
        await world.admit("caller")
        await chain(world)
        assert len(await under_way(world)) == 1
        assert [reason for _, reason in await waiting(world)] == ["WorkflowConcurrency"]


async def test_what_a_run_calls_that_the_breaker_tries_is_part_of_the_trial(world: World) -> None:
    await world.given_workspace(
        breaker=CircuitBreaker(failure_threshold=1, window="5m", cool_down="1m", half_open_runs=1)
    )
    await world.given(one_node())
    await world.given(calling())
    await world.fail(await world.admit())
    world.clock.advance(minutes=2)
    parent = await world.admit("caller")

    await chain(world)

    [child] = await under_way(world)
    await world.succeed(child)
    [usage] = await world.engine.workspaces.usage()
    assert usage.breaker.state is BreakerState.HALF_OPEN
    await chain(world)
    [usage] = await world.engine.workspaces.usage()
    assert (usage.breaker.state, await world.phase(parent)) == (BreakerState.CLOSED, RunPhase.SUCCEEDED)


async def test_many_calls_at_once_start_exactly_one_run_in_each_place(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=10)
    await world.given(one_node())
    nodes = calling()
    for number in range(9):
        nodes = nodes.with_node(f"call-{number}", {"workflow": {"name": "nightly"}})
    await world.given(nodes)
    for _ in range(10):
        await world.admit("caller")
    replicas = [world.another_engine() for _ in range(4)]

    for _ in range(4):
        now = world.clock.advance(milliseconds=1)
        await asyncio.gather(*(replica.chain_runs(now) for replica in replicas for _ in range(2)))

    assert len(await under_way(world)) == 10
    assert await counted(world) == (10, 90)
