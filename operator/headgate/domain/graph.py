"""Stepping a run's graph: which nodes may start, which never will, and how the run ended.

The order of completions never matters: ``step`` depends on the states alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from headgate.api.node import Node, NodeType
from headgate.api.workflow_run import NodePhase, RunPhase

TRUE_BRANCH = "true"


@dataclass(frozen=True)
class Dependency:
    """An edge: the node it comes from and, out of a condition, the branch it follows."""

    node: str
    branch: str = TRUE_BRANCH

    @classmethod
    def parse(cls, reference: str) -> Dependency:
        """Read ``id`` or ``id:branch``."""
        node, _, branch = reference.partition(":")
        return cls(node, branch or TRUE_BRANCH)


@dataclass(frozen=True)
class NodeState:
    """What is known of a node in one run."""

    phase: NodePhase = NodePhase.PENDING
    attempt: int = 0
    branch: str | None = None
    """The branch that a succeeded condition gave."""
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class Graph:
    """The nodes of a workflow version, in an order in which dependencies come first."""

    nodes: tuple[Node, ...]
    edges: Mapping[str, tuple[Dependency, ...]] = field(compare=False)
    by_id: Mapping[str, Node] = field(compare=False)

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Graph:
        """Build from a spec's nodes. Raises ``ValueError`` when an id repeats or a dependency is not listed earlier."""
        nodes = tuple(nodes)
        by_id: dict[str, Node] = {}
        edges: dict[str, tuple[Dependency, ...]] = {}
        for node in nodes:
            dependencies = tuple(Dependency.parse(reference) for reference in node.depends_on)
            for dependency in dependencies:
                if dependency.node not in by_id:
                    raise ValueError(f"node {node.id!r} depends on {dependency.node!r}, which is not listed before it")
            if node.id in by_id:
                raise ValueError(f"node id {node.id!r} is used twice")
            by_id[node.id] = node
            edges[node.id] = dependencies
        return cls(nodes, edges, by_id)

    def triggers(self) -> tuple[Node, ...]:
        """The trigger nodes."""
        return tuple(node for node in self.nodes if node.type is NodeType.TRIGGER)

    def started_by(self, trigger: str) -> dict[str, NodeState]:
        """The states of a run that ``trigger`` fired, before the first step. ``KeyError`` if it is no trigger."""
        if self.by_id[trigger].type is not NodeType.TRIGGER:
            raise KeyError(trigger)
        states = {node.id: NodeState() for node in self.nodes}
        for node in self.triggers():
            fired = node.id == trigger
            states[node.id] = NodeState(
                NodePhase.SUCCEEDED if fired else NodePhase.SKIPPED, reason="" if fired else "NotFired"
            )
        return states


@dataclass(frozen=True)
class Step:
    """What follows from the states of a run."""

    ready: tuple[str, ...]
    """Nodes that may start now, in listed order."""
    skipped: Mapping[str, NodeState]
    """Nodes that never will run, with the reason."""
    outcome: RunPhase | None
    """How the run ended, once every node has; None while something may still happen."""


def step(graph: Graph, states: Mapping[str, NodeState]) -> Step:
    """Decide what follows. One pass suffices, as dependencies are listed first. O(nodes + edges)."""
    known = dict(states)
    ready: list[str] = []
    skipped: dict[str, NodeState] = {}
    for node in graph.nodes:
        state = known[node.id]
        if state.phase is not NodePhase.PENDING:
            continue
        verdict = _admission(graph, graph.edges[node.id], known)
        if verdict is _READY:
            ready.append(node.id)
        elif verdict is not None:
            known[node.id] = skipped[node.id] = replace(state, phase=NodePhase.SKIPPED, reason=verdict)
    return Step(tuple(ready), skipped, _outcome(known.values()))


_READY = ""


def _admission(graph: Graph, dependencies: tuple[Dependency, ...], states: Mapping[str, NodeState]) -> str | None:
    """``_READY``, the reason for never running, or None while it is open. A reason for never outweighs waiting."""
    waiting = False
    triggers = [d for d in dependencies if graph.by_id[d.node].type is NodeType.TRIGGER]
    if triggers and not any(states[d.node].phase is NodePhase.SUCCEEDED for d in triggers):
        return "NotTriggered"
    for dependency in dependencies:
        node = graph.by_id[dependency.node]
        state = states[dependency.node]
        if node.type is NodeType.TRIGGER:
            continue
        match state.phase:
            case NodePhase.SUCCEEDED:
                if node.type is NodeType.CONDITION and state.branch != dependency.branch:
                    return "BranchNotTaken"
            case NodePhase.FAILED:
                return "UpstreamFailed"
            case NodePhase.SKIPPED:
                return "UpstreamSkipped"
            case NodePhase.CANCELLED:
                return "UpstreamCancelled"
            case _:
                waiting = True
    return None if waiting else _READY


def _outcome(states: Iterable[NodeState]) -> RunPhase | None:
    phases = {state.phase for state in states}
    if any(not phase.is_final for phase in phases):
        return None
    if NodePhase.CANCELLED in phases:
        return RunPhase.CANCELLED
    return RunPhase.FAILED if NodePhase.FAILED in phases else RunPhase.SUCCEEDED
