"""Event triggers: the end of one workflow's run starts a run of another, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.api.debugging import RunMode
from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import RunPhase
from headgate.engine.types import DefinitionError, Effects, Fired, Outcome, TriggerKind
from tests.builders import a_workflow, container
from tests.component.listeners import after, endings, errors, runs_of
from tests.component.world import World, chain, one_node


async def test_the_end_of_a_run_starts_one_of_the_other_workflow(world: World) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    run = await world.admit()
    await world.succeed(run)

    fired = await chain(world)

    [started] = await runs_of(world, "report")
    assert (started.kind, started.phase) == (TriggerKind.EVENT, RunPhase.RUNNING)
    assert fired.effects.runs == {started.run_id}
    assert fired.effects.tasks_queued
    [row] = await world.rows("SELECT * FROM headgate.workflow_executions WHERE id = %s", started.run_id)
    assert (row["trigger_node"], row["depth"], row["trigger_key"]) == ("end", 1, f"event:{run}:report/end")
    assert row["event"] == {"workflow": "nightly", "runId": str(run), "phase": "Succeeded", "outputs": {}}
    assert await endings(world) == []
    assert await chain(world) == Fired(Effects(), frozenset(), None)


async def test_a_run_for_whose_end_nothing_waits_leaves_nothing(world: World) -> None:
    await world.given(one_node())
    await world.given(after("other"))
    await world.given(after("nightly", "failures", phases=["Failed"]))
    await world.given_workspace("another")
    await world.given(after("nightly"), "another")
    await world.succeed(await world.admit())
    assert await endings(world) == []


@pytest.mark.parametrize("phase", list(RunPhase)[3:])
async def test_the_phases_that_the_trigger_names_count(world: World, phase: RunPhase) -> None:
    await world.given(one_node())
    await world.given(after("nightly", "matching", phases=[phase.value]))
    await world.given(after("nightly", "others", phases=[other for other in list(RunPhase)[3:] if other is not phase]))
    run = await world.admit()
    match phase:
        case RunPhase.SUCCEEDED:
            await world.succeed(run)
        case RunPhase.FAILED:
            await world.fail(run)
        case _:
            await world.engine.control.cancel(world.ids["acme"], run, "no")

    await chain(world)

    assert [len(await runs_of(world, name)) for name in ("matching", "others")] == [1, 0]


class TestEveryWayInWhichARunEnds:
    """Each leaves an ending, in the transaction of the end."""

    @pytest.fixture
    async def heard(self, world: World) -> World:
        await world.given(after("nightly", phases=["Succeeded", "Failed", "Cancelled"]))
        return world

    async def test_at_its_admission(self, heard: World) -> None:
        heard.expressions.values["1"] = 1
        await heard.given(a_workflow().with_node("work", {"transform": {"expression": "1"}}))
        run = await heard.admit()
        assert [row["run_id"] for row in await endings(heard)] == [run]

    async def test_as_it_starts_after_having_waited(self, heard: World) -> None:
        heard.expressions.values["1"] = 1
        await heard.given_workspace(max_concurrent_runs=0)
        await heard.given(a_workflow().with_node("work", {"transform": {"expression": "1"}}))
        run = await heard.admit()
        assert await endings(heard) == []
        await heard.given_workspace(max_concurrent_runs=1)
        await heard.engine.start_pending(heard.ids["acme"])
        assert [row["run_id"] for row in await endings(heard)] == [run]

    async def test_by_its_timeout(self, heard: World) -> None:
        await heard.given(one_node().with_spec(timeout="1m"))
        await heard.admit()
        await heard.engine.control.expire_runs(heard.clock.advance(minutes=2))
        assert [row["phase"] for row in await endings(heard)] == ["Failed"]

    async def test_cancelled_while_it_waited(self, heard: World) -> None:
        await heard.given_workspace(max_concurrent_runs=0)
        await heard.given(one_node())
        await heard.engine.control.cancel(heard.ids["acme"], await heard.admit(), "no")
        assert [row["phase"] for row in await endings(heard)] == ["Cancelled"]

    async def test_as_its_version_cannot_be_read_any_more(self, heard: World) -> None:
        await heard.given(one_node())
        run = await heard.admit()
        await heard.rows("UPDATE headgate.workflow_versions SET spec = '{}' RETURNING 1")
        await heard.another_engine().complete(heard.ref(run, "work"), Outcome(True))
        assert [row["phase"] for row in await endings(heard)] == ["Failed"]


async def test_several_triggers_and_workflows_hear_the_same_end(world: World) -> None:
    await world.given(one_node())
    two = after("nightly").with_trigger("too", {"event": {"workflow": "nightly"}}).with_node("more", after=["too"])
    await world.given(two)
    await world.given(after("nightly", "other"))
    await world.succeed(await world.admit())

    await chain(world)

    assert [len(await runs_of(world, name)) for name in ("report", "other")] == [2, 1]


async def test_the_run_reads_the_event(world: World) -> None:
    def event(variables: Any) -> str:
        return str(variables["event"] and variables["event"]["runId"])

    world.expressions.values["event.runId"] = event
    await world.given(one_node())
    await world.given(
        a_workflow("report")
        .with_trigger("end", {"event": {"workflow": "nightly"}})
        .with_node("first", container(args=["${{ event.runId }}"]), after=["end", "by-hand"])
        .with_node("later", container(args=["${{ event.runId }}"]), after=["first"])
    )
    run = await world.admit()
    await world.succeed(run)
    await chain(world)
    [started] = await runs_of(world, "report")
    [first] = await world.claim()
    await world.succeed(started.run_id, "first")
    [later] = await world.claim()
    by_hand = await world.admit("report")
    [other] = await world.claim()

    assert first.container.args == later.container.args == (str(run),)
    assert (other.ref.run_id, other.container.args) == (by_hand, ("None",))


async def test_a_run_that_waited_for_room_reads_the_event_too(world: World) -> None:
    world.expressions.values["event.phase"] = lambda variables: variables["event"]["phase"]
    await world.given(one_node())
    await world.given(
        a_workflow("report")
        .with_trigger("end", {"event": {"workflow": "nightly"}})
        .with_node("first", container(args=["${{ event.phase }}"]), after=["end"])
    )
    await world.succeed(await world.admit())
    await world.given_workspace(max_concurrent_runs=0)
    await chain(world)
    await world.given_workspace(max_concurrent_runs=1)
    await world.engine.start_pending(world.ids["acme"])
    assert [task.container.args for task in await world.claim()] == [("Succeeded",)]


async def test_many_replicas_start_one_run_for_each_end(world: World) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    ended = [await world.admit() for _ in range(10)]
    replicas = [world.another_engine() for _ in range(4)]
    for run in ended:
        await world.succeed(run)

    now = world.clock.advance(milliseconds=1)
    await asyncio.gather(*(replica.chain_runs(now) for replica in replicas for _ in range(2)))

    assert len(await runs_of(world, "report")) == 10
    assert await endings(world) == []


async def test_a_loop_over_two_workflows_ends_with_a_reason_that_the_workflow_shows(world: World) -> None:
    world.expressions.values["1"] = 1
    for name, source in (("ping", "pong"), ("pong", "ping")):
        await world.given(
            a_workflow(name)
            .with_trigger("end", {"event": {"workflow": source}})
            .with_node("work", {"transform": {"expression": "1"}}, after=["end", "by-hand"])
        )
    await world.admit("ping")

    told = [fired.workflows for fired in [await chain(world) for _ in range(12)] if fired.workflows]

    depths = await world.rows("SELECT depth FROM headgate.workflow_executions ORDER BY depth")
    assert [row["depth"] for row in depths] == list(range(9))
    assert told == [{("acme", "pong")}]
    assert (await errors(world, "pong"))["end"].startswith("TooDeep: runs called, or set off, each other 8 times")
    assert await endings(world) == []

    await world.admit("ping")
    await chain(world)
    assert await errors(world, "pong") == {}


async def test_a_workflow_does_not_start_at_its_own_end(world: World) -> None:
    with pytest.raises(DefinitionError, match="node end: the event names this workflow itself"):
        await world.given(after("report"))


async def test_where_the_plan_lets_no_run_wait_the_workflow_shows_why_there_is_none(world: World) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    await world.succeed(await world.admit())
    await world.given_workspace(max_concurrent_runs=0, on_exceeded=OnExceeded.REJECT)

    fired = await chain(world)

    assert await runs_of(world, "report") == []
    assert fired.workflows == {("acme", "report")}
    assert (await errors(world))["end"].startswith("ConcurrencyLimit: ")
    assert await endings(world) == []


async def test_of_a_suspended_workflow_the_run_waits(world: World) -> None:
    await world.given(one_node())
    await world.given(after("nightly").with_spec(suspend=True))
    await world.succeed(await world.admit())
    await chain(world)
    assert [run.phase for run in await runs_of(world, "report")] == [RunPhase.PENDING]


async def test_the_triggers_of_the_current_version_count_and_none_of_a_retired_workflow(world: World) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    await world.given(after("elsewhere"))
    await world.given(after("nightly", "retired"))
    await world.engine.workflows.retire(world.ids["acme"], "acme", "retired")
    await world.succeed(await world.admit())
    assert await endings(world) == []
    await world.given(after("nightly"))
    await world.succeed(await world.admit())
    assert len(await endings(world)) == 1


async def test_a_trigger_that_is_gone_by_then_starts_nothing(world: World) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    await world.succeed(await world.admit())
    await world.given(after("elsewhere"))
    await chain(world)
    assert await runs_of(world, "report") == []
    assert await endings(world) == []


async def test_a_test_run_sets_nothing_off(world: World) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    await world.succeed(await world.admit(mode=RunMode.TEST))
    assert await endings(world) == []


async def test_the_end_of_a_run_says_when_it_is_due(world: World) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    await world.succeed(await world.admit())
    [row] = await endings(world)
    earlier = await world.engine.chain_runs(world.clock.now.replace(microsecond=0))
    assert earlier.next_due == row["due_at"]
