"""What stands in for nodes that do not run in Test and Debug runs."""

from __future__ import annotations

from headgate.api.node import Node
from headgate.api.workflow_run import NodePhase
from headgate.domain.apart import NEEDS_MOCK, PIN_GONE, Apart, needs_mock, pin_gone
from headgate.engine.bounds import clip
from headgate.engine.starting.apart import mocked, pinned
from headgate.engine.steps.facts import Facts
from headgate.store.records import StepRow


async def stand_in(node: Node, apart: Apart, facts: Facts) -> StepRow | None:
    """The node as its mock or its pin has it, or failed where it needs one and has none; None where it runs."""
    if (mock := apart.mock(node.id)) is not None:
        return mocked(node, mock)
    if (pin := apart.pin(node.id)) is not None:
        found = await facts.pinned(pin)
        return pinned(node.id, found) if found is not None else _failed(node, PIN_GONE, pin_gone(pin))
    problem = needs_mock(node.config)
    return _failed(node, NEEDS_MOCK, problem) if problem is not None else None


def _failed(node: Node, reason: str, message: str) -> StepRow:
    return StepRow(node.id, 1, NodePhase.FAILED.value, None, reason, clip(message))
