"""Nodes that wait for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headgate.api.workflow_run import Decision, NodePhase, RunPhase
from headgate.engine.types import Effects, Waiting
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.world import NOON, World


def asking(**approval: Any) -> WorkflowBuilder:
    """A workflow that asks before it works."""
    return (
        a_workflow()
        .with_node("ask", {"approval": approval}, timeout="2h")
        .with_node("work", after=["ask"])
        .with_node("undo", after=["ask:failed"])
    )


async def decide(world: World, run: Any, by: str = "alice", **members: Any) -> Effects:
    decision = Decision.model_validate({"node": "ask", "approved": True, "by": by, **members})
    return await world.engine.control.decide(world.ids["acme"], run, [decision])


async def test_the_run_says_what_is_to_be_decided_by_whom_and_until_when(world: World) -> None:
    world.expressions.values["inputs.what"] = "the tables"
    await world.given(asking(message="Drop ${{ inputs.what }}?", users=["alice", "carol"]).with_input("what"))
    run = await world.admit()

    [waiting] = (await world.view(run)).waiting

    assert (waiting.node, waiting.reason) == ("ask", "Approval")
    assert waiting.message == (
        "Drop the tables? (by alice, carol: in spec.approvals of its WorkflowRun, "
        f"or where it has none by headgate approve {run} ask)"
    )
    assert waiting.until == NOON + timedelta(hours=2, milliseconds=1)
    assert await world.claim() == []


async def test_approved_it_goes_on_and_later_nodes_read_who_approved(world: World) -> None:
    await world.given(asking())
    run = await world.admit()

    effects = await decide(world, run, comment="fine")

    assert effects.tasks_queued
    view = await world.view(run)
    assert view.nodes[0].output == {"approved": True, "by": "alice", "comment": "fine"}
    assert await world.phases(run) == {
        "ask": NodePhase.SUCCEEDED,
        "work": NodePhase.QUEUED,
        "undo": NodePhase.SKIPPED,
    }


async def test_rejected_it_fails_and_is_not_repeated(world: World) -> None:
    await world.given(a_workflow().with_node("ask", {"approval": {}}, retry={"limit": 3}))
    run = await world.admit()

    await decide(world, run, approved=False, comment="not today")

    view = await world.view(run)
    assert view.phase is RunPhase.FAILED
    assert view.error_message == "ask: Rejected: rejected by alice: not today"


async def test_who_may_not_decide_changes_nothing_and_is_told_so(world: World) -> None:
    await world.given(asking(users=["carol"]))
    run = await world.admit()

    await decide(world, run, by="mallory")

    view = await world.view(run)
    assert view.nodes[0].phase is NodePhase.QUEUED
    [waiting] = view.waiting
    assert (waiting.reason, waiting.message) == ("NotAllowed", "mallory may not decide this; carol may")
    assert await decide(world, run, by="mallory") == Effects()
    await decide(world, run, by="carol")
    assert (await world.phases(run))["ask"] is NodePhase.SUCCEEDED


async def test_the_first_of_two_decisions_stands(world: World) -> None:
    await world.given(asking())
    run = await world.admit()
    both = [
        Decision(node="ask", approved=True, by="alice"),
        Decision(node="ask", approved=False, by="bob"),
    ]

    await world.engine.control.decide(world.ids["acme"], run, both)
    await world.engine.control.decide(world.ids["acme"], run, both)

    assert (await world.phases(run))["ask"] is NodePhase.SUCCEEDED


async def test_undecided_in_time_it_fails(world: World) -> None:
    await world.given(asking())
    run = await world.admit()
    world.clock.advance(minutes=119)
    assert await world.engine.control.expire_approvals(world.clock.now) == Effects()

    await world.engine.control.expire_approvals(world.clock.advance(minutes=2))

    view = await world.view(run)
    assert (view.nodes[0].phase, view.nodes[0].reason) == (NodePhase.FAILED, "Timeout")
    assert view.nodes[2].phase is NodePhase.QUEUED


async def test_a_retried_run_asks_anew(world: World) -> None:
    await world.given(a_workflow().with_node("ask", {"approval": {}}))
    run = await world.admit()
    await decide(world, run, approved=False)
    await world.engine.control.retry(world.ids["acme"], run, 1)

    await decide(world, run, approved=False)
    assert await world.phase(run) is RunPhase.RUNNING

    await decide(world, run, attempt=2)
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_a_decision_on_a_suspended_run_is_recorded_and_nothing_follows(world: World) -> None:
    await world.given(asking())
    run = await world.admit()
    await world.engine.control.suspend(world.ids["acme"], run, "wait")

    await decide(world, run)

    view = await world.view(run)
    assert (view.nodes[0].phase, view.nodes[1].phase) == (NodePhase.SUCCEEDED, NodePhase.PENDING)
    assert view.waiting == (Waiting("RunSuspended", "wait"),)
    await world.engine.control.resume(world.ids["acme"], run)
    assert [task.ref.node for task in await world.claim()] == ["work"]


async def test_decisions_on_other_runs_nodes_and_attempts_are_passed_over(world: World) -> None:
    await world.given(asking())
    run = await world.admit()

    assert await decide(world, run, node="work") == Effects()
    assert await decide(world, run, attempt=2) == Effects()
    await world.given_workspace("other")
    other = await world.engine.control.decide(world.ids["other"], run, [Decision(node="ask", approved=True, by="eve")])
    assert other == Effects()
    assert (await world.phases(run))["ask"] is NodePhase.QUEUED


async def test_a_cancelled_approval_waits_no_more(world: World) -> None:
    await world.given(asking())
    run = await world.admit()

    await world.engine.control.stop(world.ids["acme"], run, "no")

    assert await world.phase(run) is RunPhase.CANCELLED
    assert await world.engine.control.expire_approvals(world.clock.advance(hours=3)) == Effects()


async def test_the_longest_comment_fits(world: World) -> None:
    await world.given(asking())
    run = await world.admit()

    await decide(world, run, comment="\N{GREEN HEART}" * 1024)

    assert (await world.phases(run))["ask"] is NodePhase.SUCCEEDED
