"""Random graphs, outcomes and orders of completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from headgate.api.node import Node, NodeType, OnFailure
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.graph import Graph, NodeState, step
from tests.unit.domain.nodes import a_condition, a_trigger, an_action

States = dict[str, NodeState]
RUNNING = NodeState(NodePhase.RUNNING, 1)
SUCCEEDED, FAILED = NodeState(NodePhase.SUCCEEDED, 1), NodeState(NodePhase.FAILED, 1)
CANCELLED = NodeState(NodePhase.CANCELLED, 1)


def branch(name: str) -> NodeState:
    return replace(SUCCEEDED, branch=name)


@dataclass(frozen=True)
class Story:
    """A run as it will go: how each node will end should it start."""

    graph: Graph
    endings: Mapping[str, NodeState]


ENDINGS = st.sampled_from([SUCCEEDED, SUCCEEDED, FAILED, CANCELLED])
VERDICTS = st.sampled_from([branch("true"), branch("true"), branch("false"), branch("other"), FAILED])


@st.composite
def stories(draw: st.DrawFn) -> Story:
    nodes = [a_trigger(f"t{number}") for number in range(draw(st.integers(1, 3)))]
    endings: States = {}
    for number in range(draw(st.integers(0, 12))):
        earlier = draw(st.lists(st.sampled_from(nodes), unique_by=lambda node: node.id, max_size=4))
        depends_on = [node.id + draw(branches(node)) for node in earlier]
        if draw(st.booleans()):
            on_failure = draw(st.sampled_from(["Fail", "Continue"]))
            nodes.append(an_action(f"n{number}", *depends_on, on_failure=on_failure))
            endings[f"n{number}"] = draw(ENDINGS)
        else:
            nodes.append(a_condition(f"n{number}", *depends_on))
            endings[f"n{number}"] = draw(VERDICTS)
    for number in range(draw(st.integers(0, 3))):
        earlier = draw(st.lists(st.sampled_from(nodes), unique_by=lambda node: node.id, max_size=3))
        nodes.append(an_action(f"f{number}", *(node.id + draw(branches(node)) for node in earlier), final=True))
        endings[f"f{number}"] = draw(ENDINGS)
    return Story(Graph.of(nodes), endings)


def branches(node: Node) -> st.SearchStrategy[str]:
    named = {NodeType.CONDITION: ["", ":false"], NodeType.ACTION: ["", "", ":failed", ":ended"]}
    return st.sampled_from(named.get(node.type, [""]))


def tell(
    story: Story,
    choose: Callable[[Sequence[str]], str],
    look: Callable[[States, Sequence[str]], None] = lambda *_: None,
) -> tuple[States, RunPhase]:
    """Run to the end, where ``choose`` says which of the running nodes ends next and ``look`` sees every step."""
    states = story.graph.started_by("t0")
    while True:
        result = step(story.graph, states)
        states |= result.skipped
        look(states, result.ready)
        states |= dict.fromkeys(result.ready, RUNNING)
        if result.outcome is not None:
            return states, result.outcome
        running = [name for name, state in states.items() if state.phase is NodePhase.RUNNING]
        assert running, "nothing runs, and the run has not ended"
        ended = choose(running)
        states[ended] = story.endings[ended]


def first(running: Sequence[str]) -> str:
    return running[0]


@given(stories())
def test_every_run_ends_with_every_node(story: Story) -> None:
    states, _ = tell(story, first)

    assert all(state.phase.is_final for state in states.values())


@given(stories(), st.data())
def test_the_order_in_which_nodes_end_does_not_matter(story: Story, data: st.DataObject) -> None:
    def any_of(running: Sequence[str]) -> str:
        return data.draw(st.sampled_from(running))

    states, outcome = tell(story, any_of)
    expected, expected_outcome = tell(story, first)

    assert {name: state.phase for name, state in states.items()} == {
        name: state.phase for name, state in expected.items()
    }
    assert outcome == expected_outcome


@given(stories())
def test_no_node_starts_before_what_it_depends_on_has_ended(story: Story) -> None:
    def look(states: States, ready: Sequence[str]) -> None:
        for name in ready:
            before = [edge.node for edge in story.graph.edges[name]]
            fired = [node for node in before if node.startswith("t")]
            assert not fired or any(states[node].phase is NodePhase.SUCCEEDED for node in fired)
            assert all(states[node].phase.is_final for node in before)

    tell(story, first, look)


@given(stories())
def test_no_node_starts_unless_what_it_depends_on_went_that_way(story: Story) -> None:
    def look(states: States, ready: Sequence[str]) -> None:
        for name in ready:
            for edge in story.graph.edges[name]:
                before, phase = story.graph.by_id[edge.node], states[edge.node].phase
                if before.type is NodeType.TRIGGER:
                    continue
                if before.type is NodeType.CONDITION:
                    assert (phase, states[edge.node].branch) == (NodePhase.SUCCEEDED, edge.branch)
                elif edge.branch == "failed":
                    assert phase is NodePhase.FAILED
                elif edge.branch == "true" and not story.graph.by_id[name].final:
                    assert phase is NodePhase.SUCCEEDED or (
                        phase is NodePhase.FAILED and before.on_failure is OnFailure.CONTINUE
                    )

    tell(story, first, look)


@given(stories())
def test_final_nodes_start_when_all_others_have_ended(story: Story) -> None:
    def look(states: States, ready: Sequence[str]) -> None:
        if any(name.startswith("f") for name in ready):
            assert all(state.phase.is_final for name, state in states.items() if name.startswith("n"))

    tell(story, first, look)


@given(stories())
def test_every_node_that_starts_starts_once(story: Story) -> None:
    started: list[str] = []

    def look(_: States, ready: Sequence[str]) -> None:
        started.extend(ready)

    tell(story, first, look)

    assert len(started) == len(set(started))


@given(stories())
def test_a_step_that_was_taken_has_nothing_to_add(story: Story) -> None:
    def look(states: States, ready: Sequence[str]) -> None:
        again = step(story.graph, states)
        assert (again.ready, dict(again.skipped)) == (ready, {})
        under_way = step(story.graph, {**states, **dict.fromkeys(ready, RUNNING)})
        assert (under_way.ready, dict(under_way.skipped)) == ((), {})
        assert under_way.outcome is again.outcome
        assert again.outcome is None or not ready

    tell(story, first, look)


@given(stories())
def test_a_run_is_as_good_as_its_worst_node(story: Story) -> None:
    states, outcome = tell(story, first)
    phases = {
        state.phase
        for name, state in states.items()
        if state.phase is not NodePhase.FAILED or story.graph.by_id[name].on_failure is OnFailure.FAIL
    }

    assert (outcome is RunPhase.CANCELLED) == (NodePhase.CANCELLED in phases)
    assert (outcome is RunPhase.SUCCEEDED) == (phases <= {NodePhase.SUCCEEDED, NodePhase.SKIPPED})


@given(stories())
def test_a_node_is_skipped_for_a_reason_that_holds(story: Story) -> None:
    states, _ = tell(story, first)
    reasons = {
        "UpstreamFailed": NodePhase.FAILED,
        "UpstreamSkipped": NodePhase.SKIPPED,
        "UpstreamCancelled": NodePhase.CANCELLED,
        "BranchNotTaken": NodePhase.SUCCEEDED,
        "NotTriggered": NodePhase.SKIPPED,
    }

    for name, state in states.items():
        if state.phase is NodePhase.SKIPPED and state.reason != "NotFired":
            assert reasons[state.reason] in {states[edge.node].phase for edge in story.graph.edges[name]}
