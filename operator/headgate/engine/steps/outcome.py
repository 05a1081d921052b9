"""How a run ends, as it is recorded. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from headgate.api.node import OnFailure
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.graph import Graph, NodeState
from headgate.engine.bounds import clip
from headgate.engine.types import FinishedRun
from headgate.store.records import RunKey
from headgate.store.runs import LoadedRun, StateRow


def states_of(graph: Graph, run: LoadedRun) -> dict[str, NodeState]:
    """The states of a run's nodes: those of its trigger, and over them what is recorded."""
    if run.known is not None:
        return dict(run.known)
    states = graph.started_by(run.trigger_node)
    for row in run.states:
        states[row.node] = _state(row)
    return states


def _state(row: StateRow) -> NodeState:
    if row.message:
        return NodeState(NodePhase(row.phase), row.attempt, row.branch, row.reason, row.message)
    return _without_message(row.phase, row.attempt, row.branch, row.reason)


@lru_cache(maxsize=1024)
def _without_message(phase: str, attempt: int, branch: str | None, reason: str) -> NodeState:
    """Most nodes of most runs are in one of a few states, which are made once."""
    return NodeState(NodePhase(phase), attempt, branch, reason)


def finished(key: RunKey, namespace: str, phase: RunPhase, now: datetime) -> FinishedRun:
    """What others hear of the end of a run."""
    return FinishedRun(key.id, namespace, phase, max(now - key.started_at, timedelta(0)))


def error_message(graph: Graph, states: Mapping[str, NodeState], outcome: RunPhase | None) -> str | None:
    """Names the nodes whose failure counts, in listed order, with reason and message; None unless the run failed."""
    if outcome is not RunPhase.FAILED:
        return None
    failed = [
        (node.id, states[node.id])
        for node in graph.nodes
        if states[node.id].phase is NodePhase.FAILED and node.on_failure is OnFailure.FAIL
    ]
    return clip("; ".join(_sentence(name, state) for name, state in failed))


def _sentence(node: str, state: NodeState) -> str:
    return ": ".join(part for part in (node, state.reason, state.message) if part)
