"""Test and Debug runs of a chain of three nodes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from headgate.api.debugging import Debug, RunMode
from tests.builders import WorkflowBuilder, a_workflow, container
from tests.component.world import World


def chain() -> WorkflowBuilder:
    """Three nodes in a row; the last says what the second gave."""
    return (
        a_workflow()
        .with_node("a")
        .with_node("b", after=["a"])
        .with_node("c", container(args=["${{ nodes.b.output }}"]), after=["b"])
    )


async def tried(world: World, mode: RunMode = RunMode.TEST, **debug: Any) -> UUID:
    """Admit a run with these wishes."""
    return await world.admit(mode=mode, debug=Debug.model_validate(debug))


def given_outputs(world: World) -> None:
    world.expressions.values["nodes.b.output"] = lambda known: known["nodes"]["b"]["output"]
