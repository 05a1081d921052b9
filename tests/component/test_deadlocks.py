"""Runs that wait for each other's mutexes and limits: one of them fails, and the others go on."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from headgate.api.workflow_run import RunPhase
from headgate.engine.types import RunView
from headgate.store import deadlocks
from tests.builders import a_workflow
from tests.component.world import World, chain, one_node

A, B = {"mutex": "a"}, {"mutex": "b"}


async def given(world: World, name: str, concurrency: dict[str, Any], *calls: str) -> None:
    """A workflow that calls these, all at once, or does some work where it calls none."""
    workflow = a_workflow(name).with_spec(concurrency=concurrency)
    for called in calls:
        workflow = workflow.with_node(f"call-{called}", {"workflow": {"name": called}}, after=["by-hand"])
    await world.given(workflow if calls else workflow.with_node("work"))


async def given_two_orders(world: World, first: dict[str, Any] = A, second: dict[str, Any] = B) -> None:
    """``left`` and what it calls take both in one order, ``right`` and what it calls in the other."""
    await given(world, "right-of-left", second)
    await given(world, "left-of-right", first)
    await given(world, "left", first, "right-of-left")
    await given(world, "right", second, "left-of-right")


async def child_of(world: World, run: UUID) -> UUID:
    [row] = await world.rows("SELECT id FROM headgate.workflow_executions WHERE parent_run = %s", run)
    child: UUID = row["id"]
    return child


async def called_by(world: World, run: UUID) -> RunView:
    return await world.view(await child_of(world, run))


async def settled(world: World) -> None:
    """All that follows from what happened."""
    for _ in range(4):
        await chain(world)
    await world.engine.start_all_pending()
    for _ in range(4):
        await chain(world)


async def test_of_two_that_wait_for_each_other_the_youngest_fails_and_says_who_waits_for_whom(world: World) -> None:
    await given_two_orders(world)
    left, right = await world.admit("left"), await world.admit("right")

    await chain(world)

    older, younger = sorted([await child_of(world, left), await child_of(world, right)])
    assert (await world.phase(older), await world.phase(younger)) == (RunPhase.PENDING, RunPhase.FAILED)
    told = (await world.view(younger)).error_message or ""
    assert told.startswith(f"Deadlock: run {younger} of workflow ")
    assert all(str(run) in told for run in (older, left, right))
    assert told.endswith("let all workflows take them in the same order")


async def test_who_called_it_fails_of_it_and_the_other_goes_on(world: World) -> None:
    await given_two_orders(world)
    left, right = await world.admit("left"), await world.admit("right")

    await settled(world)

    phases = {run: await world.phase(run) for run in (left, right)}
    assert sorted(phases.values()) == [RunPhase.FAILED, RunPhase.RUNNING]
    [failed] = [run for run, phase in phases.items() if phase is RunPhase.FAILED]
    [node] = (await world.view(failed)).nodes
    assert node.reason == "ChildFailed"
    assert "Deadlock: run" in node.message
    [going] = phases.keys() - {failed}
    child = await child_of(world, going)
    assert await world.phase(child) is RunPhase.RUNNING
    await world.succeed(child)
    await settled(world)
    assert await world.phase(going) is RunPhase.SUCCEEDED


async def test_limits_count_as_mutexes_do(world: World) -> None:
    await given(world, "narrow", {"limit": 1}, "wide")
    await given(world, "wide", {"mutex": "a"})
    await given(world, "other", {"mutex": "a"}, "narrow")
    one, other = await world.admit("narrow"), await world.admit("other")

    await chain(world)

    children = [await called_by(world, run) for run in (one, other)]
    assert sorted(child.phase for child in children) == [RunPhase.FAILED, RunPhase.PENDING]
    assert any("concurrency.limit 1 of its workflow" in (child.error_message or "") for child in children)


async def test_a_limit_with_somebody_who_ends_is_none(world: World) -> None:
    await given(world, "narrow", {"limit": 2}, "wide")
    await given(world, "wide", {"mutex": "a"})
    await given(world, "other", {"mutex": "a"}, "narrow")
    one, other = await world.admit("narrow"), await world.admit("other")
    await chain(world)

    assert (await called_by(world, one)).phase is RunPhase.PENDING
    assert (await called_by(world, other)).phase is RunPhase.RUNNING


async def test_one_that_waits_for_a_run_that_works_is_left_alone(world: World) -> None:
    await given(world, "calls", A, "needs-b")
    await given(world, "needs-b", B)
    await given(world, "has-b", B)
    holder, caller = await world.admit("has-b"), await world.admit("calls")

    await settled(world)

    assert (await called_by(world, caller)).phase is RunPhase.PENDING
    await world.succeed(holder)
    await settled(world)
    assert (await called_by(world, caller)).phase is RunPhase.RUNNING


async def test_branches_of_one_run_may_stand_still_too(world: World) -> None:
    await given_two_orders(world)
    await given(world, "both", {}, "left", "right")
    await world.admit("both")

    await settled(world)

    rows = await world.rows("SELECT error_message FROM headgate.workflow_executions WHERE status = 'Failed'")
    assert any("Deadlock: run" in row["error_message"] for row in rows)


async def test_two_replicas_that_find_it_at_once_fail_one_run(world: World) -> None:
    await given_two_orders(world)
    await world.admit("left")
    await world.admit("right")
    replicas = [world.engine, world.another_engine()]
    now = world.clock.advance(milliseconds=1)

    await asyncio.gather(*(replica.chain_runs(now) for replica in replicas))
    await asyncio.gather(*(replica.start_all_pending() for replica in replicas))

    rows = await world.rows("SELECT error_message FROM headgate.workflow_executions WHERE status = 'Failed'")
    assert len(rows) == 1


async def test_after_a_crash_the_net_finds_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await given_two_orders(world)
    runs = [await world.admit("left"), await world.admit("right")]

    async def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(deadlocks, "waiting", dies)
        with pytest.raises(Killed):
            await chain(world)
    waiting = "SELECT FROM headgate.workflow_executions WHERE status = 'Pending'"
    made = await world.rows(waiting)
    # What was taken and not made is due again when its lease has run out.
    world.clock.advance(seconds=60)
    await chain(world)

    await world.engine.start_all_pending()

    phases = sorted([(await called_by(world, run)).phase for run in runs])
    assert phases == [RunPhase.FAILED, RunPhase.PENDING]
    assert made


async def test_a_called_run_without_limits_costs_no_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.given(one_node("x"))
    await given(world, "calls", {}, "x")
    run = await world.admit("calls")

    async def fails(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(deadlocks, "waiting", fails)
    await chain(world)

    assert (await called_by(world, run)).phase is RunPhase.RUNNING


class Killed(BaseException):
    """The end of a process."""
