"""What nodes do besides running containers: computing, being remembered, being repeated, and coming last."""

from __future__ import annotations

from datetime import timedelta

import pytest

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.types import ExpressionError
from tests.builders import a_workflow, container
from tests.component.world import World, one_node

REMEMBERED = {"key": "${{ inputs.day }}", "maxAge": "1h"}


async def test_a_transform_gives_its_value(world: World) -> None:
    world.expressions.values["{'n': 1}"] = {"n": 1}
    await world.given(a_workflow("nightly").with_node("sum", config={"transform": {"expression": "{'n': 1}"}}))

    run = await world.admit()

    (node,) = (await world.view(run)).nodes
    assert (node.phase, node.output) == (NodePhase.SUCCEEDED, {"n": 1})
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_a_run_gives_its_outputs_when_it_has_succeeded(world: World) -> None:
    world.expressions.values["nodes.work.output.rows"] = lambda known: known["nodes"]["work"]["output"]["rows"]
    await world.given(one_node().with_output("rows", "nodes.work.output.rows"))
    run = await world.admit()

    await world.succeed(run, output={"rows": 7})

    assert (await world.view(run)).outputs == {"rows": 7}


async def test_a_run_whose_outputs_cannot_be_computed_fails(world: World) -> None:
    world.expressions.values["nodes.work.output.rows"] = ExpressionError("no such key: rows")
    await world.given(one_node().with_output("rows", "nodes.work.output.rows"))
    run = await world.admit()

    await world.succeed(run)

    view = await world.view(run)
    assert (view.phase, view.error_message) == (RunPhase.FAILED, "output rows: no such key: rows")


async def test_an_output_is_taken_again_where_the_same_was_done_before(world: World) -> None:
    world.expressions.values["inputs.day"] = "monday"
    await world.given(one_node(memoize=REMEMBERED))
    first = await world.admit()
    await world.succeed(first, output={"rows": 7})

    second = await world.admit()

    (node,) = (await world.view(second)).nodes
    assert (node.phase, node.reason, node.output) == (NodePhase.SUCCEEDED, "Memoized", {"rows": 7})


@pytest.mark.parametrize("change", ["another key", "too old", "another node", "failed before"])
async def test_an_output_is_not_taken_where_it_is_not_the_same(world: World, change: str) -> None:
    world.expressions.values["inputs.day"] = "monday"
    await world.given(one_node(memoize=REMEMBERED))
    first = await world.admit()
    await (world.fail(first) if change == "failed before" else world.succeed(first, output={"rows": 7}))
    match change:
        case "another key":
            world.expressions.values["inputs.day"] = "tuesday"
        case "too old":
            world.clock.advance(hours=2)
        case "another node":
            await world.given(one_node(memoize=REMEMBERED, config=container(args=["--other"])))

    second = await world.admit()

    assert (await world.phases(second))["work"] is NodePhase.QUEUED


async def test_what_another_workspace_remembers_is_not_taken(world: World) -> None:
    world.expressions.values["inputs.day"] = "monday"
    await world.given(one_node(memoize=REMEMBERED))
    await world.succeed(await world.admit(), output={"rows": 7})
    await world.given_workspace("other")
    await world.given(one_node(memoize=REMEMBERED), "other")

    run = await world.admit(workspace="other")

    assert (await world.view(run, "other")).nodes[0].phase is NodePhase.QUEUED


@pytest.mark.parametrize(
    ("when", "phase"), [(True, NodePhase.QUEUED), (False, NodePhase.FAILED), (ExpressionError("no"), NodePhase.FAILED)]
)
async def test_an_attempt_is_repeated_only_where_it_is_worth_it(world: World, when: object, phase: NodePhase) -> None:
    world.expressions.values["attempt.exitCode == 3"] = when
    await world.given(one_node(retry={"limit": 3, "when": "attempt.exitCode == 3"}))
    run = await world.admit()

    await world.fail(run)

    assert (await world.phases(run))["work"] is phase
    assert world.expressions.seen[-1]["attempt"] == {
        "number": 1,
        "reason": "ExitCode",
        "message": "exit code 3",
        "exitCode": 3,
    }


async def test_what_decides_on_a_repetition_reads_what_any_expression_of_the_node_reads(world: World) -> None:
    world.expressions.values["nodes.first.phase == 'Succeeded'"] = lambda known: (
        known["nodes"]["first"].get("phase") == "Succeeded"
    )
    retry = {"limit": 1, "when": "nodes.first.phase == 'Succeeded'"}
    await world.given(a_workflow("nightly").with_node("first").with_node("work", after=["first"], retry=retry))
    run = await world.admit()
    await world.succeed(run, "first")

    await world.fail(run)

    assert (await world.phases(run))["work"] is NodePhase.QUEUED


async def test_a_final_node_is_repeated_by_how_the_run_went(world: World) -> None:
    world.expressions.values["run.phase == 'Failed'"] = lambda known: known["run"].get("phase") == "Failed"
    retry = {"limit": 1, "when": "run.phase == 'Failed'"}
    await world.given(one_node().with_node("tell", after=["work"], final=True, retry=retry))
    run = await world.admit()
    await world.fail(run)

    await world.fail(run, "tell")

    assert (await world.phases(run))["tell"] is NodePhase.QUEUED


async def test_the_wait_before_a_repetition_is_shortened_at_random(world: World) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "100s", "jitter": 50}))
    waits = set[timedelta]()
    for _ in range(8):
        run = await world.admit()
        await world.fail(run)
        (told,) = (await world.view(run)).waiting
        assert told.until is not None
        waits.add(told.until - world.clock.now)

    assert len(waits) > 1
    assert all(timedelta(seconds=50) <= wait <= timedelta(seconds=100) for wait in waits)


async def test_a_final_node_runs_after_a_failure_and_reads_how_the_run_went(world: World) -> None:
    world.expressions.values["run.phase"] = lambda known: known["run"]["phase"]
    await world.given(
        one_node().with_node("tell", after=["work"], final=True, config=container(args=["${{ run.phase }}"]))
    )
    run = await world.admit()

    await world.fail(run)

    (task,) = await world.claim()
    assert (task.ref.node, task.container.args) == ("tell", ("Failed",))
    assert await world.phase(run) is RunPhase.RUNNING
    await world.succeed(run, "tell")
    assert await world.phase(run) is RunPhase.FAILED


async def test_a_run_goes_on_after_a_failure_that_does_not_matter(world: World) -> None:
    await world.given(one_node(onFailure="Continue").with_node("next", after=["work"]))
    run = await world.admit()

    await world.fail(run)
    await world.succeed(run, "next")

    assert await world.phase(run) is RunPhase.SUCCEEDED
