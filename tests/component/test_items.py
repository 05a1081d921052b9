"""Nodes that run for every item of a list."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.workflow_run import NodePhase, RunPhase
from tests.builders import WorkflowBuilder, a_workflow, container
from tests.component.world import World

ITEMS = "nodes.list.output"


def spread_over(**members: Any) -> WorkflowBuilder:
    """``work`` runs for each of what ``list`` gives, at most two at a time, and ``after`` comes last."""
    parallelism = members.pop("parallelism", 2)
    return (
        a_workflow("nightly")
        .with_node("list", config={"transform": {"expression": "inputs.all"}})
        .with_node(
            "work",
            after=["list"],
            forEach={"items": ITEMS, "parallelism": parallelism},
            config=container(args=["${{ item }}", "${{ index }}"]),
            **members,
        )
        .with_node("after", after=["work"], config=container(args=["${{ nodes.work.output }}"]))
    )


@pytest.fixture
def items(world: World) -> World:
    """A world whose list is a, b, c."""
    world.expressions.values |= {
        "inputs.all": ["a", "b", "c"],
        ITEMS: lambda known: known["nodes"]["list"]["output"],
        "item": lambda known: known["item"],
        "index": lambda known: known["index"],
        "nodes.work.output": lambda known: known["nodes"]["work"]["output"],
    }
    return world


async def test_as_many_items_start_as_may_run_at_the_same_time(items: World) -> None:
    await items.given(spread_over())
    await items.admit()

    claimed = await items.claim()

    assert [(task.ref.node, task.container.args) for task in claimed] == [
        ("work.0", ("a", "0")),
        ("work.1", ("b", "1")),
    ]


async def test_the_next_item_starts_when_one_has_ended(items: World) -> None:
    await items.given(spread_over())
    run = await items.admit()

    await items.succeed(run, "work.1")

    assert [task.ref.node for task in await items.claim()] == ["work.0", "work.2"]
    assert (await items.phases(run))["work"] is NodePhase.RUNNING
    assert "1 of 3 items done" in {node.message for node in (await items.view(run)).nodes}


async def test_the_outputs_are_collected_in_the_order_of_the_items(items: World) -> None:
    await items.given(spread_over(parallelism=3))
    run = await items.admit()

    await items.succeed(run, "work.2", {"n": 2})
    await items.succeed(run, "work.0", {"n": 0})
    await items.succeed(run, "work.1")

    (after,) = await items.claim()
    assert after.container.args == ('[{"n":0},null,{"n":2}]',)


async def test_after_a_failure_no_further_item_starts_and_the_node_fails(items: World) -> None:
    await items.given(spread_over())
    run = await items.admit()

    await items.fail(run, "work.0")
    assert (await items.phases(run))["work"] is NodePhase.RUNNING
    await items.succeed(run, "work.1")

    view = await items.view(run)
    assert view.phase is RunPhase.FAILED
    assert view.error_message == "work: ItemsFailed: 1 of 3 items failed; item 0: ExitCode: exit code 3"


async def test_where_failures_do_not_matter_all_items_run(items: World) -> None:
    await items.given(spread_over(onFailure="Continue"))
    run = await items.admit()

    await items.fail(run, "work.0")
    await items.succeed(run, "work.1", 1)
    await items.succeed(run, "work.2", 2)

    (after,) = await items.claim()
    assert after.container.args == ("[null,1,2]",)


async def test_an_item_is_retried_by_itself(items: World) -> None:
    await items.given(spread_over(parallelism=3, retry={"limit": 1, "initialDelay": "0s"}))
    run = await items.admit()

    await items.fail(run, "work.1")

    assert [(task.ref.node, task.ref.attempt) for task in await items.claim()] == [
        ("work.0", 1),
        ("work.2", 1),
        ("work.1", 2),
    ]


async def test_of_no_items_the_output_is_an_empty_list(items: World) -> None:
    items.expressions.values["inputs.all"] = []
    await items.given(spread_over())
    await items.admit()

    (after,) = await items.claim()

    assert after.container.args == ("[]",)


@pytest.mark.parametrize(("value", "kind"), [("abc", "str"), ({}, "dict"), (list(range(1001)), "one of 1001")])
async def test_what_is_no_list_of_a_thousand_items_at_most_fails_the_node(items: World, value: Any, kind: str) -> None:
    items.expressions.values["inputs.all"] = value
    await items.given(spread_over())
    run = await items.admit()

    view = await items.view(run)

    assert view.phase is RunPhase.FAILED
    assert f"must give a list of at most 1000 items; it gave {kind}" in (view.error_message or "")


async def test_a_transform_for_every_item_needs_nobody(items: World) -> None:
    items.expressions.values["item * 2"] = lambda known: known["item"] * 2
    await items.given(
        a_workflow("nightly")
        .with_node("list", config={"transform": {"expression": "inputs.all"}})
        .with_node(
            "work",
            after=["list"],
            forEach={"items": ITEMS, "parallelism": 1},
            config={"transform": {"expression": "item * 2"}},
        )
    )
    run = await items.admit()

    assert (await items.view(run)).nodes[1].output == ["aa", "bb", "cc"]
    assert await items.phase(run) is RunPhase.SUCCEEDED


async def test_cancelling_the_run_cancels_its_items(items: World) -> None:
    await items.given(spread_over())
    run = await items.admit()
    await items.claim()

    effects = await items.engine.control.cancel(items.ids["acme"], run, "enough")

    assert {ref.node for ref in effects.cancelled} == {"work.0", "work.1"}
    assert set((await items.phases(run)).values()) == {NodePhase.SUCCEEDED, NodePhase.CANCELLED}


async def test_the_items_are_not_kept_beside_the_outputs(items: World) -> None:
    await items.given(spread_over(parallelism=3))
    before = (await items.usage())["storage_bytes"]
    run = await items.admit()
    for index in range(3):
        await items.succeed(run, f"work.{index}", "x")

    used = (await items.usage())["storage_bytes"] - before

    assert used == len('["a", "b", "c"]') + 3 * len('"x"') + len('["x", "x", "x"]')


async def test_what_waits_for_the_same_is_told_once(items: World) -> None:
    await items.given(spread_over(parallelism=3, retry={"limit": 1, "initialDelay": "10s"}))
    run = await items.admit()

    await items.fail(run, "work.0")
    await items.fail(run, "work.1")

    assert [(told.node, told.reason) for told in (await items.view(run)).waiting] == [("work", "Retry")]
