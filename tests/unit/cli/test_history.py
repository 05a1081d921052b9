"""The history by command: what is shown of a run."""

from __future__ import annotations

from headgate.api.workflow_run import NodePhase
from headgate.cli.history import in_order
from headgate.engine.types import NodeView


def a_node(name: str, attempt: int = 1, phase: NodePhase = NodePhase.SUCCEEDED) -> NodeView:
    return NodeView(name, phase, attempt, None, None, "", "")


def test_attempts_come_in_the_order_of_the_nodes() -> None:
    nodes = [a_node("second", 2), a_node("first")]
    attempts = [a_node("first"), a_node("second", 1, NodePhase.FAILED), a_node("second", 2)]

    assert [(item.id, item.attempt) for item in in_order(nodes, attempts)] == [
        ("second", 1),
        ("second", 2),
        ("first", 1),
    ]


def test_items_follow_their_node() -> None:
    attempts = [a_node("each"), a_node("each.0"), a_node("each.1", 1), a_node("each.1", 2)]

    assert in_order([a_node("each"), a_node("each.0"), a_node("each.1", 2)], attempts) == tuple(attempts)


def test_a_node_of_which_none_was_made_is_shown_as_it_is() -> None:
    pending = a_node("later", 0, NodePhase.PENDING)

    assert in_order([pending], []) == (pending,)
