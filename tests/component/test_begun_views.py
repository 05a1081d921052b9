"""What is answered to the start of a run: the same as is read back, without reading it."""

from __future__ import annotations

import pytest

from headgate.api.workflow_run import RunPhase
from headgate.engine.types import Admitted
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.world import World, one_node

HTTP = {"http": {"url": "https://example.com/"}}
LIST = {"items": "inputs.list", "parallelism": 2}


def each_kind() -> WorkflowBuilder:
    """A workflow whose nodes wait for whatever nodes wait for, or end at once."""
    return (
        a_workflow("nightly")
        .with_node("job")
        .with_node("call", HTTP)
        .with_node("other", {"workflow": {"name": "nightly"}})
        .with_node("ask", {"approval": {"message": "Drop the tables?"}}, timeout="2h")
        .with_node("many", HTTP, forEach=LIST)
        .with_condition("odd", "inputs.odd", after=["by-hand"])
        .with_node("made", {"transform": {"expression": "inputs.made"}})
        .with_node("skipped", after=["odd"])
        .with_node("later", after=["job"])
    )


def at_once() -> WorkflowBuilder:
    """A workflow of which nothing has to wait."""
    return (
        a_workflow("nightly")
        .with_node("made", {"transform": {"expression": "inputs.made"}})
        .with_output("made", "nodes.made.output")
    )


@pytest.mark.parametrize("workflow", [each_kind(), at_once(), one_node()])
async def test_a_run_that_has_begun_is_told_of_as_it_is_recorded(world: World, workflow: WorkflowBuilder) -> None:
    world.expressions.values |= {
        "inputs.list": [1, 2, 3],
        "inputs.odd": False,
        "inputs.made": {"rows": [1, "zwei", None]},
        "nodes.made.output": {"rows": [1, "zwei", None]},
    }
    await world.given(workflow)

    answer, _ = await world.engine.admit(world.request(labels={"team": "shop"}, priority=7))

    assert isinstance(answer, Admitted)
    assert answer.view == await world.view(answer.run_id)


async def test_one_that_waits_is_read_as_it_may_have_started_since(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    await world.admit()

    answer, _ = await world.engine.admit(world.request())

    assert isinstance(answer, Admitted)
    assert answer.view is None
    assert (await world.view(answer.run_id)).phase is RunPhase.PENDING
