from __future__ import annotations

from headgate.api.workflow_run import NodePhase
from headgate.domain.graph import Graph, NodeState
from headgate.domain.repetition import to_repeat
from tests.builders import WorkflowBuilder, a_workflow


def graph(workflow: WorkflowBuilder) -> Graph:
    return Graph.of(workflow.model().spec.nodes)


def states(graph: Graph, **known: tuple[NodePhase, int]) -> dict[str, NodeState]:
    given = {name: NodeState(phase, attempt) for name, (phase, attempt) in known.items()}
    return {**graph.started_by("by-hand"), **given}


CHAIN = a_workflow().with_node("a").with_node("b", after=["a"]).with_node("c", after=["b"])


def test_a_failed_node_and_what_was_skipped_after_it_run_again() -> None:
    chain = graph(CHAIN)
    repeated = to_repeat(
        chain,
        states(chain, a=(NodePhase.SUCCEEDED, 1), b=(NodePhase.FAILED, 3), c=(NodePhase.SKIPPED, 0)),
    )
    assert repeated == {"b": NodeState(attempt=4), "c": NodeState(attempt=0)}


def test_a_number_that_was_skipped_under_was_never_used() -> None:
    chain = graph(CHAIN)
    repeated = to_repeat(
        chain,
        states(chain, a=(NodePhase.SUCCEEDED, 1), b=(NodePhase.FAILED, 1), c=(NodePhase.SKIPPED, 2)),
    )
    assert repeated["c"] == NodeState(attempt=2)


def test_a_branch_that_was_not_taken_stays_so() -> None:
    branches = graph(
        a_workflow()
        .with_condition("check", "true", after=["by-hand"])
        .with_node("yes", after=["check"])
        .with_node("no", after=["check:false"])
    )
    repeated = to_repeat(
        branches,
        states(branches, check=(NodePhase.SUCCEEDED, 1), yes=(NodePhase.FAILED, 1), no=(NodePhase.SKIPPED, 0)),
    )
    assert set(repeated) == {"yes"}


def test_a_failure_from_which_the_run_went_on_is_kept() -> None:
    tolerant = graph(a_workflow().with_node("a", onFailure="Continue").with_node("b", after=["a"]))
    repeated = to_repeat(tolerant, states(tolerant, a=(NodePhase.FAILED, 1), b=(NodePhase.FAILED, 1)))
    assert set(repeated) == {"b"}


def test_final_nodes_always_run_again() -> None:
    cleaning = graph(a_workflow().with_node("a").with_node("clean", after=["a"], final=True))
    repeated = to_repeat(cleaning, states(cleaning, a=(NodePhase.CANCELLED, 0), clean=(NodePhase.SUCCEEDED, 1)))
    assert repeated == {"a": NodeState(attempt=0), "clean": NodeState(attempt=2)}


def test_of_a_list_the_items_that_failed_run_again() -> None:
    lists = graph(a_workflow().with_node("each", forEach={"items": "[1, 2, 3]"}))
    known = states(lists, each=(NodePhase.FAILED, 1)) | {
        "each.0": NodeState(NodePhase.SUCCEEDED, 1),
        "each.1": NodeState(NodePhase.FAILED, 2),
        "each.2": NodeState(NodePhase.CANCELLED, 1),
    }
    assert to_repeat(lists, known) == {
        "each": NodeState(attempt=2),
        "each.1": NodeState(attempt=3),
        "each.2": NodeState(attempt=2),
    }
