"""Which nodes of a run that failed, or was cancelled, run again, and under which number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from headgate.api.node import NodeType, OnFailure
from headgate.api.workflow_run import NodePhase
from headgate.domain.apart import AFTER_STOP, BEFORE_START, PINNED
from headgate.domain.graph import Graph, NodeState
from headgate.domain.spread import item_name, items_of

_LEFT_OUT = {(NodePhase.SKIPPED, BEFORE_START), (NodePhase.SKIPPED, AFTER_STOP), (NodePhase.SUCCEEDED, PINNED)}
"""Nodes that a Test or Debug run does not run, or has from an earlier one, however often it is retried."""


def to_repeat(graph: Graph, states: Mapping[str, NodeState]) -> dict[str, NodeState]:
    """The nodes that run again, as they are before they do.

    Those that failed or were cancelled, and of a node that runs for every item of a list the items that did; those that
    were skipped after one of these; and all final ones, as the run ends anew. What succeeded is kept, and so is a
    failure from which the run went on (``onFailure: Continue``). No number of an attempt is ever used again. Of a Test
    or Debug run, what it leaves out stays left out.
    """
    repeated: dict[str, NodeState] = {}
    for node in graph.nodes:
        state = states[node.id]
        if node.type is NodeType.TRIGGER or (state.phase, state.reason) in _LEFT_OUT:
            continue
        after_one = any(dependency.node in repeated for dependency in graph.edges[node.id])
        if (
            node.final
            or state.phase is NodePhase.CANCELLED
            or (state.phase is NodePhase.FAILED and node.on_failure is OnFailure.FAIL)
            or (state.phase is NodePhase.SKIPPED and after_one)
        ):
            repeated[node.id] = _reset(state)
            for index, item in items_of(node.id, states).items():
                if node.final or item.phase in (NodePhase.FAILED, NodePhase.CANCELLED):
                    repeated[item_name(node.id, index)] = _reset(item)
    return repeated


def _reset(state: NodeState) -> NodeState:
    """Pending, with the number of the next attempt; 0 stands for a node that was never started."""
    was_made = state.phase is not NodePhase.SKIPPED and state.attempt > 0
    return replace(NodeState(), attempt=state.attempt + 1 if was_made else state.attempt)
