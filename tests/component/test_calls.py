"""Nodes that call other workflows: one run for each attempt, whose end is the attempt's."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from headgate.api.debugging import RunMode
from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.types import TriggerKind, Waiting
from headgate.store.errors import DatabaseUnavailable
from tests.builders import a_workflow
from tests.component.callers import called, children, node
from tests.component.world import World, calling, chain, one_node


async def test_a_call_makes_a_run_and_shows_what_it_waits_for(world: World) -> None:
    await world.given(one_node().with_input("day"))
    await world.given(calling(inputs={"day": "monday"}))
    parent = await world.admit("caller")
    assert await world.claim() == []

    fired = await chain(world)

    [child] = await children(world)
    assert (child.kind, child.phase) == (TriggerKind.CALL, RunPhase.RUNNING)
    assert fired.effects.runs == {parent, child.run_id}
    assert fired.effects.tasks_queued
    [row] = await world.rows("SELECT * FROM headgate.workflow_executions WHERE id = %s", child.run_id)
    assert (row["parent_run"], row["parent_node"], row["parent_attempt"]) == (parent, "call", 1)
    assert (row["depth"], row["inputs"], row["trigger_key"]) == (1, {"day": "monday"}, f"call:{parent}/call/1")
    view = await world.view(parent)
    assert (view.phase, view.nodes[0].phase) == (RunPhase.RUNNING, NodePhase.RUNNING)
    assert view.nodes[0].started_at == world.clock.now
    assert view.waiting == (Waiting("CalledRun", f"the end of run {child.run_id} of workflow nightly", "call"),)


async def test_the_attempt_ends_with_the_run_and_has_its_outputs(world: World) -> None:
    world.expressions.values["nodes.work.output.rows"] = 3
    await world.given(one_node().with_spec(outputs=[{"name": "rows", "expression": "nodes.work.output.rows"}]))
    await world.given(calling().with_node("next", after=["call"]))
    parent = await world.admit("caller")
    child = await called(world)
    world.clock.advance(minutes=1)
    await world.succeed(child)

    fired = await chain(world)

    call, following = (await world.view(parent)).nodes
    assert (call.phase, call.output, following.phase) == (NodePhase.SUCCEEDED, {"rows": 3}, NodePhase.QUEUED)
    assert call.started_at is not None
    assert call.finished_at is not None
    assert call.finished_at - call.started_at >= timedelta(minutes=1)
    assert parent in fired.effects.runs
    assert [task.ref.node for task in await world.claim()] == ["next"]
    assert await world.rows("SELECT FROM headgate.run_endings") == []


async def test_a_run_that_ends_at_once_ends_the_attempt_too(world: World) -> None:
    world.expressions.values["1"] = 1
    await world.given(a_workflow().with_node("work", {"transform": {"expression": "1"}}))
    await world.given(calling())
    parent = await world.admit("caller")
    await chain(world)
    await chain(world)
    assert await world.phase(parent) is RunPhase.SUCCEEDED


async def test_the_attempt_fails_with_the_run_and_says_why(world: World) -> None:
    await world.given(one_node())
    await world.given(calling())
    parent = await world.admit("caller")
    child = await called(world)
    await world.fail(child)

    await chain(world)

    message = f"run {child} of workflow nightly failed: work: ExitCode: exit code 3"
    assert await node(world, parent) == (NodePhase.FAILED, "ChildFailed", message)
    assert await world.phase(parent) is RunPhase.FAILED


async def test_the_attempt_fails_when_somebody_cancels_the_run(world: World) -> None:
    await world.given(one_node())
    await world.given(calling())
    parent = await world.admit("caller")
    child = await called(world)
    await world.engine.control.cancel(world.ids["acme"], child, "not today")
    await chain(world)
    message = f"run {child} of workflow nightly was cancelled: not today"
    assert await node(world, parent) == (NodePhase.FAILED, "ChildFailed", message)


async def test_every_attempt_calls_a_run_of_its_own(world: World) -> None:
    await world.given(one_node())
    await world.given(calling(retry={"limit": 1, "initialDelay": "10s"}))
    parent = await world.admit("caller")
    first = await called(world)
    await world.fail(first)
    await chain(world)
    assert (await world.view(parent)).waiting[0].reason == "Retry"

    world.clock.advance(seconds=10)
    await chain(world)

    second = (await children(world))[1].run_id
    await world.succeed(second)
    await chain(world)
    assert await world.phase(parent) is RunPhase.SUCCEEDED


async def test_many_replicas_call_one_run_for_each_attempt(world: World) -> None:
    await world.given(one_node())
    await world.given(calling())
    parents = [await world.admit("caller") for _ in range(8)]
    replicas = [world.another_engine() for _ in range(4)]

    now = world.clock.advance(milliseconds=1)
    await asyncio.gather(*(replica.chain_runs(now) for replica in replicas for _ in range(2)))
    assert len(await children(world)) == 8

    await asyncio.gather(*(world.succeed(child.run_id) for child in await children(world)))
    now = world.clock.advance(milliseconds=1)
    await asyncio.gather(*(replica.chain_runs(now) for replica in replicas for _ in range(2)))
    assert {await world.phase(parent) for parent in parents} == {RunPhase.SUCCEEDED}


async def dying_before_the_call_is_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call what is due, and die in the middle of it."""

    async def dies(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr("headgate.store.calls.set_child", dies)
        with pytest.raises(DatabaseUnavailable):
            await chain(world)


async def test_a_call_whose_replica_died_is_made_when_its_lease_has_run_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.given(one_node())
    await world.given(calling())
    parent = await world.admit("caller")

    await dying_before_the_call_is_recorded(world, monkeypatch)
    assert await children(world) == []

    world.clock.advance(seconds=9)
    await chain(world)
    assert await children(world) == []
    world.clock.advance(seconds=1)
    await world.succeed(await called(world))
    await chain(world)
    assert await world.phase(parent) is RunPhase.SUCCEEDED


async def test_who_begins_to_lead_need_not_wait_for_the_calls_of_whom_it_follows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.given(one_node())
    await world.given(calling(retry={"limit": 1, "initialDelay": "1h"}))
    retries = await world.admit("caller")
    await world.fail(await called(world))
    waits = await world.admit("caller")
    await chain(world)
    before = len(await children(world))
    taken = await world.admit("caller")

    await dying_before_the_call_is_recorded(world, monkeypatch)
    await chain(world)
    assert len(await children(world)) == before

    assert await world.engine.take_over_chaining(world.clock.now) == 1

    await chain(world)
    assert len(await children(world)) == before + 1
    assert (await node(world, taken))[0] is NodePhase.RUNNING
    assert (await node(world, waits))[0] is NodePhase.RUNNING
    assert (await world.view(retries)).waiting[0].reason == "Retry"


class TestARunThatCannotBeAdmitted:
    async def test_fails_the_attempt_with_the_refusal(self, world: World) -> None:
        await world.given(one_node().with_input("day", required=True))
        await world.given(calling())
        parent = await world.admit("caller")
        await chain(world)
        message = "workflow nightly: the workflow requires the input 'day'; give it a value"
        assert await node(world, parent) == (NodePhase.FAILED, "InvalidInputs", message)

    async def test_fails_the_attempt_where_there_is_no_such_workflow(self, world: World) -> None:
        await world.given(calling("nowhere"))
        parent = await world.admit("caller")
        await chain(world)
        assert (await node(world, parent))[:2] == (NodePhase.FAILED, "WorkflowNotFound")

    async def test_fails_the_attempt_where_it_has_no_manual_trigger(self, world: World) -> None:
        await world.given(
            a_workflow().without("spec.nodes.0").with_schedule("at", "0 0 * * *").with_node("work", after=["at"])
        )
        await world.given(calling())
        parent = await world.admit("caller")
        await chain(world)
        assert (await node(world, parent))[:2] == (NodePhase.FAILED, "InvalidTrigger")

    async def test_fails_the_attempt_where_the_plan_refuses_it(self, world: World) -> None:
        await world.given_workspace(max_executions_per_day=1, on_exceeded=OnExceeded.REJECT)
        await world.given(one_node())
        await world.given(calling())
        parent = await world.admit("caller")
        await chain(world)
        assert (await node(world, parent))[:2] == (NodePhase.FAILED, "DailyLimit")

    async def test_waits_where_the_plan_lets_it(self, world: World) -> None:
        await world.given_workspace(max_executions_per_day=1)
        await world.given(one_node())
        await world.given(calling())
        parent = await world.admit("caller")
        child = await called(world)
        assert (await world.view(child)).waiting[0].reason == "DailyLimit"
        waits = f"the end of run {child} of workflow nightly, which waits: DailyLimit"
        assert (await world.view(parent)).waiting == (Waiting("CalledRun", waits, "call"),)
        await world.given_workspace(max_executions_per_day=2)
        await world.engine.start_pending(world.ids["acme"])
        await world.succeed(child)
        await chain(world)
        assert await world.phase(parent) is RunPhase.SUCCEEDED

    async def test_fails_the_attempt_when_workflows_call_each_other_too_deep(self, world: World) -> None:
        await world.given(calling("caller"))
        first = await world.admit("caller")
        for _ in range(40):
            await chain(world)
        depths = await world.rows("SELECT depth FROM headgate.workflow_executions ORDER BY depth")
        assert [row["depth"] for row in depths] == list(range(9))
        phase, reason, message = await node(world, first)
        assert (phase, reason) == (NodePhase.FAILED, "ChildFailed")
        assert message.startswith("run ")
        last = (await children(world, "caller"))[-1]
        assert (await node(world, last.run_id))[:2] == (NodePhase.FAILED, "TooDeep")


async def test_a_caller_that_is_retried_calls_another_run(world: World) -> None:
    await world.given(one_node())
    await world.given(calling())
    parent = await world.admit("caller")
    await world.fail(await called(world))
    await chain(world)

    await world.engine.control.retry(world.ids["acme"], parent, 1)
    await chain(world)

    first, second = await children(world)
    assert (first.phase, second.phase) == (RunPhase.FAILED, RunPhase.RUNNING)
    await world.succeed(second.run_id)
    await chain(world)
    assert await world.phase(parent) is RunPhase.SUCCEEDED


async def test_a_node_for_every_item_calls_a_run_for_each(world: World) -> None:
    world.expressions.values |= {"[1, 2]": [1, 2], "item": lambda variables: variables["item"]}
    await world.given(one_node().with_input("n"))
    await world.given(calling(inputs={"n": "${{ item }}"}, forEach={"items": "[1, 2]"}))
    parent = await world.admit("caller")
    await chain(world)
    rows = await world.rows("SELECT id, inputs FROM headgate.workflow_executions WHERE parent_run = %s", parent)
    assert sorted(row["inputs"]["n"] for row in rows) == [1, 2]
    for row in rows:
        await world.succeed(row["id"])
    await chain(world)
    assert await world.phase(parent) is RunPhase.SUCCEEDED


async def test_a_test_run_calls_test_runs(world: World) -> None:
    await world.given(one_node())
    await world.given(calling())
    await world.admit("caller", mode=RunMode.TEST)
    await called(world)
    rows = await world.rows("SELECT mode FROM headgate.workflow_executions")
    assert [row["mode"] for row in rows] == ["Test", "Test"]


async def test_what_cannot_be_called_does_not_hold_up_the_others(world: World) -> None:
    await world.given(one_node())
    await world.given(calling(name="broken"))
    await world.given(calling())
    broken = await world.admit("broken")
    await world.rows("UPDATE headgate.tasks SET work = '{}' WHERE execution_id = %s RETURNING 1", broken)
    await world.admit("caller")
    await called(world)
    assert (await node(world, broken))[:2] == (NodePhase.FAILED, "InvalidCall")


async def test_calls_of_all_workspaces_are_made(world: World) -> None:
    await world.given_workspace("other")
    for workspace in ("acme", "other"):
        await world.given(one_node(), workspace)
        await world.given(calling(), workspace)
        await world.admit("caller", workspace)
    await chain(world)
    rows = await world.rows("SELECT workspace_id FROM headgate.workflow_executions WHERE trigger_kind = 'call'")
    assert {row["workspace_id"] for row in rows} == set(world.ids.values())
