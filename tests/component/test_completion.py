"""What the end of an attempt leads to."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.types import Effects, Outcome
from tests.builders import a_workflow
from tests.component.world import World, one_node


async def test_recording_the_same_end_again_changes_nothing(world: World) -> None:
    await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))
    run = await world.admit()
    await world.succeed(run, "a", {"n": 1})
    before = await world.view(run)
    world.clock.advance(seconds=9)

    again = Effects(runs=frozenset([run]))
    assert await world.succeed(run, "a", {"n": 2}) == again
    assert await world.fail(run, "a") == again

    assert await world.view(run) == before
    assert len(await world.rows("SELECT FROM headgate.tasks")) == 1


async def test_an_end_that_many_replicas_record_at_once_counts_once(world: World) -> None:
    await world.given(one_node(retry={"limit": 3}))
    run = await world.admit()

    effects = await asyncio.gather(*(world.fail(run, "work") for _ in range(8)))

    assert sum(e.tasks_queued for e in effects) == 1
    assert [(n.attempt, n.phase) for n in (await world.view(run)).nodes] == [(2, NodePhase.QUEUED)]


async def test_the_last_of_many_branches_that_end_at_once_queues_the_join_once(world: World) -> None:
    branches = [f"b{i}" for i in range(8)]
    workflow = a_workflow()
    for branch in branches:
        workflow = workflow.with_node(branch)
    await world.given(workflow.with_node("join", after=branches))
    run = await world.admit()

    await asyncio.gather(*(world.succeed(run, branch) for branch in branches))

    assert [task.ref.node for task in await world.engine.open_tasks()] == ["join"]


async def test_a_failed_attempt_is_repeated_after_the_delays_of_its_retry(world: World) -> None:
    await world.given(one_node(retry={"limit": 2, "initialDelay": "10s", "factor": 3}))
    run = await world.admit()
    [first] = await world.claim()

    await world.fail(run, "work")
    [waiting] = (await world.view(run)).waiting
    assert (waiting.reason, waiting.node, waiting.until) == ("Retry", "work", world.clock.now + timedelta(seconds=10))
    assert await world.claim() == []

    world.clock.advance(seconds=10)
    [second] = await world.claim()
    assert (second.ref.attempt, second.container) == (2, first.container)
    await world.fail(run, "work", 2)
    world.clock.advance(seconds=29)
    assert await world.claim() == []
    world.clock.advance(seconds=1)
    [third] = await world.claim()
    await world.succeed(run, "work", attempt=3)

    assert third.ref.attempt == 3
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_every_attempt_is_kept(world: World) -> None:
    await world.given(one_node(retry={"limit": 1}))
    run = await world.admit()
    await world.fail(run, "work")
    await world.succeed(run, "work", attempt=2)

    rows = await world.rows(
        "SELECT attempt, phase, reason, exit_code FROM headgate.workflow_execution_steps ORDER BY attempt"
    )
    assert [tuple(row.values()) for row in rows] == [(1, "Failed", "ExitCode", 3), (2, "Succeeded", "", None)]


async def test_a_run_fails_with_the_names_of_what_failed(world: World) -> None:
    await world.given(a_workflow().with_node("load").with_node("check").with_node("report", after=["load"]))
    run = await world.admit()
    await world.fail(run, "load", reason="OOMKilled")
    assert await world.phase(run) is RunPhase.RUNNING

    world.clock.advance(seconds=3)
    await world.fail(run, "check")

    view = await world.view(run)
    assert view.phase is RunPhase.FAILED
    assert view.error_message == "load: OOMKilled: exit code 3; check: ExitCode: exit code 3"
    assert [(n.id, n.phase, n.reason) for n in view.nodes][2] == ("report", NodePhase.SKIPPED, "UpstreamFailed")
    [row] = await world.rows("SELECT duration_ms, error_message FROM headgate.workflow_executions")
    assert row == {"duration_ms": 3000, "error_message": view.error_message}


async def test_times_of_an_attempt_are_those_of_its_container(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    started, finished = world.clock.advance(seconds=1), world.clock.advance(seconds=2)
    await world.engine.mark_running(world.ref(run, "work"), started)
    world.clock.advance(seconds=3)

    await world.engine.complete(world.ref(run, "work"), Outcome(True, finished_at=finished))

    [node] = (await world.view(run)).nodes
    assert (node.started_at, node.finished_at) == (started, finished)


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("x" * 4095, "the output has 4097 bytes as JSON; the limit is 4096"),
        ({"text": "a\0b"}, "the output contains the character U+0000"),
        ({"text": "\ud800"}, "the output contains half of a character (a lone surrogate)"),
        (float("inf"), "the output is not JSON: "),
    ],
)
async def test_an_output_that_cannot_be_kept_fails_the_attempt(world: World, output: Any, problem: str) -> None:
    await world.given(one_node())
    run = await world.admit()

    await world.succeed(run, "work", output)

    [node] = (await world.view(run)).nodes
    assert (node.phase, node.reason) == (NodePhase.FAILED, "InvalidOutput")
    assert node.message.startswith(problem)


@pytest.mark.parametrize("output", ["x" * 4094, {"text": "a\\u0000b"}, 10**400, [None, {}], "ü" * 2047])
async def test_an_output_that_can_be_kept_is_kept_as_it_is(world: World, output: Any) -> None:
    await world.given(one_node())
    run = await world.admit()

    await world.succeed(run, "work", output)

    assert (await world.view(run)).nodes[0].output == output


async def test_texts_of_a_tenant_are_cut_and_cleaned_before_they_are_kept(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    outcome = Outcome(False, reason="R" * 200, message="boom\0" + "ü" * 2000 + "\ud800")

    await world.engine.complete(world.ref(run, "work"), outcome)

    view = await world.view(run)
    assert len(view.nodes[0].reason.encode()) <= 128
    assert len(view.nodes[0].message.encode()) <= 1024
    assert view.nodes[0].message.startswith("boom\ufffdü")
    assert view.error_message is not None
    assert len(view.error_message.encode()) <= 1024


async def test_the_end_of_an_attempt_that_never_was_changes_nothing(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    before = await world.view(run)
    await world.succeed(run, "work", attempt=2)
    await world.succeed(run, "other")
    assert await world.succeed(UUID(int=7), "work") == Effects()
    assert await world.view(run) == before
    assert await world.phase(run) is RunPhase.RUNNING


async def test_a_run_keeps_its_version_when_the_workflow_changes(world: World) -> None:
    await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))
    run = await world.admit()
    await world.given(one_node())

    await world.succeed(run, "a")

    assert [task.ref.node for task in await world.engine.open_tasks()] == ["b"]
    assert (await world.view(run)).version == 1
