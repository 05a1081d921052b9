"""Conditions and ``${{ }}`` in runs."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.desired.job import job
from headgate.engine.types import ExpressionError, Outcome
from tests.builders import a_workflow, container
from tests.component.world import World

ENOUGH = "nodes.extract.output.rows > 0"


def branching() -> Any:
    return (
        a_workflow()
        .with_node("extract")
        .with_condition("enough", ENOUGH, after=["extract"])
        .with_node("report", after=["enough"])
        .with_node("complain", after=["enough:false"])
    )


@pytest.mark.parametrize(
    ("value", "report", "complain"),
    [(True, NodePhase.QUEUED, NodePhase.SKIPPED), (False, NodePhase.SKIPPED, NodePhase.QUEUED)],
)
async def test_a_condition_sends_the_run_down_one_branch(
    world: World, value: bool, report: NodePhase, complain: NodePhase
) -> None:
    world.expressions.values[ENOUGH] = value
    await world.given(branching())
    run = await world.admit()

    await world.succeed(run, "extract", {"rows": 3})

    phases = await world.phases(run)
    assert (phases["enough"], phases["report"], phases["complain"]) == (NodePhase.SUCCEEDED, report, complain)


async def test_a_condition_may_name_its_branch(world: World) -> None:
    world.expressions.values["inputs.plan"] = lambda variables: variables["inputs"]["plan"]
    await world.given(
        a_workflow()
        .with_input("plan")
        .with_condition("plan", "inputs.plan", after=["by-hand"])
        .with_node("gold", after=["plan:gold"])
        .with_node("silver", after=["plan:silver"])
    )

    run = await world.admit(inputs={"plan": "gold"})

    assert [task.ref.node for task in await world.claim()] == ["gold"]
    assert (await world.phases(run))["silver"] is NodePhase.SKIPPED


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "it gave int"),
        (None, "it gave NoneType"),
        ("x" * 64, "it gave a text of 64 characters"),
        ("a\0b", "U+0000"),
        (ExpressionError("no such key: rows"), "no such key: rows"),
    ],
)
async def test_a_condition_without_a_usable_value_fails(world: World, value: Any, words: str) -> None:
    world.expressions.values[ENOUGH] = value
    await world.given(branching())
    run = await world.admit()

    await world.succeed(run, "extract")

    view = await world.view(run)
    condition = next(node for node in view.nodes if node.id == "enough")
    assert (condition.phase, condition.reason) == (NodePhase.FAILED, "InvalidExpression")
    assert condition.message.startswith("node enough: ")
    assert words in condition.message
    assert view.phase is RunPhase.FAILED


async def test_expressions_see_inputs_and_what_came_before_and_nothing_that_runs_beside(world: World) -> None:
    everything = "size(nodes) > 0"
    world.expressions.values[everything] = True
    await world.given(
        a_workflow()
        .with_input("day", default=1)
        .with_node("a")
        .with_node("beside")
        .with_node("b", after=["a"])
        .with_condition("last", everything, after=["b"])
    )
    run = await world.admit()
    for node in ("beside", "a", "b"):
        await world.succeed(run, node, {"from": node})

    [variables] = world.expressions.seen

    assert variables["inputs"] == {"day": 1}
    assert variables["nodes"] == {
        "by-hand": {"output": None, "phase": "Succeeded"},
        "a": {"output": {"from": "a"}, "phase": "Succeeded"},
        "b": {"output": {"from": "b"}, "phase": "Succeeded"},
    }


async def test_expressions_that_name_nodes_are_given_those_alone(world: World) -> None:
    named = "nodes.a.output.rows > 0"
    world.expressions.values[named] = True
    await world.given(
        a_workflow().with_node("a").with_node("b", after=["a"]).with_condition("last", named, after=["b"])
    )
    run = await world.admit()
    for node in ("a", "b"):
        await world.succeed(run, node, {"rows": 1})

    [variables] = world.expressions.seen

    assert variables["nodes"] == {"a": {"output": {"rows": 1}, "phase": "Succeeded"}}


async def test_a_condition_sees_the_value_of_the_condition_before_it(world: World) -> None:
    world.expressions.values = {"1 == 1": True, "nodes.first.output": lambda v: v["nodes"]["first"]["output"]}
    await world.given(
        a_workflow()
        .with_condition("first", "1 == 1", after=["by-hand"])
        .with_condition("second", "nodes.first.output", after=["first"])
    )
    assert await world.phase(await world.admit()) is RunPhase.SUCCEEDED


async def test_expressions_in_a_container_are_replaced_before_anyone_claims_it(world: World) -> None:
    world.expressions.values = {
        "inputs.day": "monday",
        "nodes.load.output.rows": 12,
        "nodes.load.output": {"rows": 12},
    }
    await world.given(
        a_workflow()
        .with_input("day")
        .with_node("load")
        .with_node(
            "report",
            container(
                command=["run", "--day=${{ inputs.day }}"],
                args=["${{nodes.load.output.rows}} of ${{ inputs.day }}"],
                env=[
                    {"name": "ALL", "value": "${{ nodes.load.output }}"},
                    {"name": "PLAIN", "value": "as it is"},
                    {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                ],
            ),
            after=["load"],
        )
    )
    run = await world.admit(inputs={"day": "monday"})
    await world.succeed(run, "load", {"rows": 12})

    task = next(task for task in await world.claim() if task.ref.node == "report")

    assert task.container.command == ("run", "--day=monday")
    assert task.container.args == ("12 of monday",)
    assert [variable.value for variable in task.container.env] == ['{"rows":12}', "as it is", None]
    assert task.container.env[2].value_from is not None


async def test_an_expression_that_fails_in_a_container_fails_its_node(world: World) -> None:
    world.expressions.values["nodes.load.output.rows"] = ExpressionError("no such key: rows")
    report = container(args=["${{ nodes.load.output.rows }}"])
    await world.given(a_workflow().with_node("load").with_node("report", report, after=["load"]))
    run = await world.admit()

    await world.succeed(run, "load", {})

    node = (await world.view(run)).nodes[1]
    assert (node.phase, node.reason, node.attempt) == (NodePhase.FAILED, "InvalidExpression", 1)
    assert node.message == "node report: no such key: rows"


@pytest.mark.parametrize(("value", "words"), [("x" * 5000, "at most 4096"), ("a\0b", "U+0000")])
async def test_a_value_that_does_not_fit_into_a_container_fails_its_node(world: World, value: str, words: str) -> None:
    world.expressions.values["inputs.text"] = value
    await world.given(a_workflow().with_input("text").with_node("work", container(args=["${{ inputs.text }}"])))

    run = await world.admit()

    [node] = (await world.view(run)).nodes
    assert (node.phase, node.reason) == (NodePhase.FAILED, "InvalidExpression")
    assert words in node.message


async def test_an_image_may_be_chosen_by_an_input(world: World) -> None:
    world.expressions.values["inputs.tag"] = "1.2"
    work = container("registry.example.com/shop/extract:${{ inputs.tag }}")
    await world.given(a_workflow().with_input("tag").with_node("work", work))
    await world.admit(inputs={"tag": "1.2"})

    [task] = await world.claim()

    assert task.container.image == "registry.example.com/shop/extract:1.2"


@pytest.mark.parametrize(
    "value",
    ["1 evil.example.com/x", "1\n", "", "${{ inputs.tag }}", "1@sha256:", "x" * 600],
    ids=lambda value: value[:8],
)
async def test_an_input_that_makes_no_image_of_it_fails_the_node_which_says_what_it_became(
    world: World, value: str
) -> None:
    world.expressions.values["inputs.tag"] = value
    work = container("shop/extract:${{ inputs.tag }}")
    await world.given(a_workflow().with_input("tag").with_node("work", work))

    run = await world.admit()

    [node] = (await world.view(run)).nodes
    assert (node.phase, node.reason) == (NodePhase.FAILED, "InvalidImage")
    assert node.message.startswith("node work: its image became 'shop/extract:")
    assert await world.claim() == []


async def test_the_job_has_the_image_of_another_registry_openly_so_that_the_policies_see_it(world: World) -> None:
    world.expressions.values["inputs.image"] = "evil.example.com/x:1"
    await world.given(a_workflow().with_input("image").with_node("work", container("${{ inputs.image }}")))
    await world.admit()

    [task] = await world.claim()

    [made] = job(task)["spec"]["template"]["spec"]["containers"]
    assert made["image"] == "evil.example.com/x:1"


async def test_a_retry_has_the_content_of_the_first_attempt(world: World) -> None:
    world.expressions.values["inputs.day"] = "monday"
    work = container(args=["${{ inputs.day }}"])
    await world.given(a_workflow().with_input("day").with_node("work", work, retry={"limit": 1, "initialDelay": "1s"}))
    run = await world.admit()
    world.expressions.values["inputs.day"] = "tuesday"

    await world.fail(run, "work")
    world.clock.advance(seconds=1)

    assert [task.container.args for task in await world.claim()] == [("monday",)]


async def test_when_expressions_cannot_be_evaluated_at_all_the_attempt_stays_open(world: World) -> None:
    world.expressions.values[ENOUGH] = RuntimeError("no child process")
    await world.given(branching())
    run = await world.admit()
    with pytest.raises(RuntimeError):
        await world.succeed(run, "extract", {"rows": 1})
    assert await world.phases(run) == {
        "extract": NodePhase.QUEUED,
        "enough": NodePhase.PENDING,
        "report": NodePhase.PENDING,
        "complain": NodePhase.PENDING,
    }

    world.expressions.values[ENOUGH] = True
    effects = await world.engine.complete(world.ref(run, "extract"), Outcome(True, {"rows": 1}))

    assert effects.tasks_queued
