"""Stepping a run's graph: which nodes may start, which never will, and how the run ended.

The order of completions never matters: ``step`` depends on the states alone. What depends on the graph alone is worked
out once, as it is stepped at the end of every attempt of every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from headgate.api.node import Node, NodeType, OnFailure
from headgate.api.workflow_run import NodePhase, RunPhase

TRUE_BRANCH = "true"
FAILED_BRANCH = "failed"


@dataclass(frozen=True)
class Dependency:
    """An edge: the node it comes from, and the branch it follows.

    Of a condition that is one of its values; of an action ``true`` when it succeeded, ``failed`` when it failed for
    good, ``ended`` either way.
    """

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
    triggers_of: Mapping[str, tuple[str, ...]] = field(compare=False)
    """The triggers that each node names."""
    inner: Mapping[str, tuple[tuple[Node, Dependency], ...]] = field(compare=False)
    """The other nodes that each node names, with the edge."""

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
            if not node.final and (last := next((d.node for d in dependencies if by_id[d.node].final), None)):
                raise ValueError(f"node {node.id!r} depends on {last!r}, which is final: make it final too")
            if node.id in by_id:
                raise ValueError(f"node id {node.id!r} is used twice")
            by_id[node.id] = node
            edges[node.id] = dependencies
        named = {name: [(by_id[edge.node], edge) for edge in edges[name]] for name in by_id}
        triggers_of = {
            name: tuple(before.id for before, _ in found if before.type is NodeType.TRIGGER)
            for name, found in named.items()
        }
        inner = {
            name: tuple(edge for edge in found if edge[0].type is not NodeType.TRIGGER) for name, found in named.items()
        }
        return cls(nodes, edges, by_id, triggers_of, inner)

    @cached_property
    def triggers(self) -> tuple[Node, ...]:
        """The trigger nodes."""
        return tuple(node for node in self.nodes if node.type is NodeType.TRIGGER)

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The ids of all other nodes."""
        return tuple(node.id for node in self.nodes if node.type is not NodeType.TRIGGER)

    @cached_property
    def ordinary(self) -> tuple[Node, ...]:
        """The nodes that do not wait for all others."""
        return tuple(node for node in self.nodes if not node.final)

    @cached_property
    def finals(self) -> tuple[Node, ...]:
        """The nodes that do."""
        return tuple(node for node in self.nodes if node.final)

    @cached_property
    def repeated(self) -> tuple[Node, ...]:
        """The nodes that run for every item of a list."""
        return tuple(node for node in self.nodes if node.for_each is not None)

    def started_by(self, trigger: str) -> dict[str, NodeState]:
        """The states of a run that ``trigger`` fired, before the first step. ``KeyError`` if it is no trigger."""
        return dict(self._begun[trigger])

    @cached_property
    def _begun(self) -> dict[str, dict[str, NodeState]]:
        """What each trigger starts with."""
        waiting, others = NodeState(), NodeState(NodePhase.SKIPPED, reason="NotFired")
        begun = {node.id: others if node.type is NodeType.TRIGGER else waiting for node in self.nodes}
        return {trigger.id: {**begun, trigger.id: NodeState(NodePhase.SUCCEEDED)} for trigger in self.triggers}


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
    _judge(graph, graph.ordinary, known, ready, skipped)
    if graph.finals and _all_ended(graph.ordinary, known):
        _judge(graph, graph.finals, known, ready, skipped)
    return Step(tuple(ready), skipped, None if ready else _outcome(graph, known))


def phase_so_far(graph: Graph, states: Mapping[str, NodeState]) -> RunPhase:
    """How the run went, as final nodes read it: by the nodes that are not final and have ended."""
    return _verdict((node, states[node.id].phase) for node in graph.ordinary)


_READY = ""


def _judge(
    graph: Graph,
    nodes: tuple[Node, ...],
    known: dict[str, NodeState],
    ready: list[str],
    skipped: dict[str, NodeState],
) -> None:
    for node in nodes:
        state = known[node.id]
        if state.phase is not NodePhase.PENDING:
            continue
        verdict = _admission(graph, node, known)
        if verdict is _READY:
            ready.append(node.id)
        elif verdict is not None:
            known[node.id] = skipped[node.id] = replace(state, phase=NodePhase.SKIPPED, reason=verdict)


def _admission(graph: Graph, waiter: Node, states: Mapping[str, NodeState]) -> str | None:
    """``_READY``, the reason for never running, or None while it is open. A reason for never outweighs waiting."""
    triggers = graph.triggers_of[waiter.id]
    if triggers and not any(states[name].phase is NodePhase.SUCCEEDED for name in triggers):
        return "NotTriggered"
    waiting = False
    for node, dependency in graph.inner[waiter.id]:
        state = states[node.id]
        if not state.phase.is_final:
            waiting = True
        elif (reason := _obstacle(node, state, dependency, always=waiter.final)) is not None:
            return reason
    return None if waiting else _READY


def _obstacle(node: Node, state: NodeState, dependency: Dependency, *, always: bool) -> str | None:
    """Why what follows ``dependency`` never runs, now that ``node`` has ended; None where it may.

    With ``always`` a plain dependency on an action only gives the order.
    """
    phase, branch = state.phase, dependency.branch
    failed, succeeded = phase is NodePhase.FAILED, phase is NodePhase.SUCCEEDED
    if node.type is NodeType.CONDITION:
        taken = succeeded and state.branch == branch
    elif branch == TRUE_BRANCH:
        taken = always or succeeded or (failed and node.on_failure is OnFailure.CONTINUE)
    else:
        taken = failed if branch == FAILED_BRANCH else phase is not NodePhase.SKIPPED
    if taken:
        return None
    return "BranchNotTaken" if succeeded else _NEVER[phase]


_NEVER = {
    NodePhase.FAILED: "UpstreamFailed",
    NodePhase.SKIPPED: "UpstreamSkipped",
    NodePhase.CANCELLED: "UpstreamCancelled",
}


def _outcome(graph: Graph, states: Mapping[str, NodeState]) -> RunPhase | None:
    if not _all_ended(graph.nodes, states):
        return None
    return _verdict((node, states[node.id].phase) for node in graph.nodes)


def _all_ended(nodes: Iterable[Node], states: Mapping[str, NodeState]) -> bool:
    return all(states[node.id].phase.is_final for node in nodes)


def _verdict(ended: Iterable[tuple[Node, NodePhase]]) -> RunPhase:
    counted = {phase for node, phase in ended if phase is not NodePhase.FAILED or node.on_failure is OnFailure.FAIL}
    if NodePhase.CANCELLED in counted:
        return RunPhase.CANCELLED
    return RunPhase.FAILED if NodePhase.FAILED in counted else RunPhase.SUCCEEDED
