from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.node import Node, NodeType
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.graph import Dependency, Graph, NodeState, step
from tests.unit.domain.nodes import a_condition, a_trigger, an_action

States = dict[str, NodeState]
PENDING, RUNNING = NodeState(), NodeState(NodePhase.RUNNING, 1)
SUCCEEDED, FAILED = NodeState(NodePhase.SUCCEEDED, 1), NodeState(NodePhase.FAILED, 1)
CANCELLED = NodeState(NodePhase.CANCELLED, 1)


def branch(name: str) -> NodeState:
    return replace(SUCCEEDED, branch=name)


def skipped(reason: str) -> NodeState:
    return NodeState(NodePhase.SKIPPED, reason=reason)


def stepped(graph: Graph, **known: NodeState) -> States:
    """The states after a step, where what may start is running."""
    states = {**{node.id: PENDING for node in graph.nodes}, **known}
    result = step(graph, states)
    return {**states, **result.skipped, **dict.fromkeys(result.ready, RUNNING)}


DIAMOND = Graph.of(
    [
        a_trigger("start"),
        an_action("left", "start"),
        an_action("right", "start"),
        an_action("join", "left", "right"),
    ]
)


def test_what_depends_on_the_trigger_alone_may_start() -> None:
    assert step(DIAMOND, DIAMOND.started_by("start")).ready == ("left", "right")


def test_a_node_waits_for_all_that_it_depends_on() -> None:
    assert stepped(DIAMOND, start=SUCCEEDED, left=SUCCEEDED, right=RUNNING)["join"] == PENDING
    assert stepped(DIAMOND, start=SUCCEEDED, left=SUCCEEDED, right=SUCCEEDED)["join"] == RUNNING


@pytest.mark.parametrize(
    ("left", "reason"),
    [(FAILED, "UpstreamFailed"), (CANCELLED, "UpstreamCancelled"), (skipped("BranchNotTaken"), "UpstreamSkipped")],
)
def test_a_node_never_runs_after_one_that_did_not_succeed(left: NodeState, reason: str) -> None:
    assert stepped(DIAMOND, start=SUCCEEDED, left=left, right=RUNNING)["join"] == skipped(reason)


def test_what_is_skipped_skips_what_comes_after_in_the_same_step() -> None:
    chain = Graph.of([a_trigger("start"), an_action("a", "start"), an_action("b", "a"), an_action("c", "b")])

    assert stepped(chain, start=SUCCEEDED, a=FAILED)["c"] == skipped("UpstreamSkipped")


BRANCHES = Graph.of(
    [
        a_trigger("start"),
        a_condition("size", "start", expression="inputs.size"),
        an_action("yes", "size"),
        an_action("large", "size:large"),
        an_action("also-large", "size:large", "yes"),
    ]
)


def test_a_condition_is_followed_on_true() -> None:
    after = stepped(BRANCHES, start=SUCCEEDED, size=branch("true"))

    assert after["yes"] == RUNNING
    assert after["large"] == skipped("BranchNotTaken")


def test_a_condition_is_followed_on_the_branch_that_is_named() -> None:
    after = stepped(BRANCHES, start=SUCCEEDED, size=branch("large"))

    assert after["large"] == RUNNING
    assert after["yes"] == skipped("BranchNotTaken")
    assert after["also-large"] == skipped("UpstreamSkipped")


TRIGGERS = Graph.of(
    [
        a_trigger("night"),
        a_trigger("by-hand"),
        an_action("either", "night", "by-hand"),
        an_action("nightly", "night"),
        an_action("after", "nightly", "by-hand"),
    ]
)


def test_of_several_triggers_one_is_enough() -> None:
    after = stepped(TRIGGERS, **TRIGGERS.started_by("by-hand"))

    assert after["either"] == RUNNING
    assert after["nightly"] == skipped("NotTriggered")
    assert after["after"] == skipped("UpstreamSkipped")


def test_a_trigger_that_did_not_fire_is_skipped() -> None:
    assert TRIGGERS.started_by("by-hand")["night"] == skipped("NotFired")


def test_only_triggers_start_a_run() -> None:
    with pytest.raises(KeyError):
        TRIGGERS.started_by("either")
    with pytest.raises(KeyError):
        TRIGGERS.started_by("nothing")


@pytest.mark.parametrize(
    ("left", "right", "outcome"),
    [
        (SUCCEEDED, RUNNING, None),
        (FAILED, RUNNING, None),
        (SUCCEEDED, skipped("BranchNotTaken"), RunPhase.SUCCEEDED),
        (SUCCEEDED, FAILED, RunPhase.FAILED),
        (FAILED, CANCELLED, RunPhase.CANCELLED),
    ],
)
def test_a_run_ends_with_its_last_node(left: NodeState, right: NodeState, outcome: RunPhase | None) -> None:
    states = {**DIAMOND.started_by("start"), "left": left, "right": right}

    assert step(DIAMOND, states).outcome == outcome


def test_a_run_that_succeeded_so_far_goes_on() -> None:
    result = step(DIAMOND, {**DIAMOND.started_by("start"), "left": SUCCEEDED, "right": SUCCEEDED})

    assert (result.ready, result.outcome) == (("join",), None)


def test_a_workflow_of_triggers_alone_succeeds_at_once() -> None:
    graph = Graph.of([a_trigger("start")])

    assert step(graph, graph.started_by("start")).outcome == RunPhase.SUCCEEDED


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [a_trigger("a"), an_action("b", "c"), an_action("c", "a")],
            "'b' depends on 'c', which is not listed before it",
        ),
        ([an_action("a", "a")], "'a' depends on 'a', which is not listed before it"),
        ([a_trigger("a"), an_action("a")], "'a' is used twice"),
    ],
)
def test_a_graph_lists_dependencies_first_and_ids_once(nodes: list[Node], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph.of(nodes)


@pytest.mark.parametrize(
    ("reference", "dependency"),
    [
        ("size", Dependency("size", "true")),
        ("size:large", Dependency("size", "large")),
        ("size:false", Dependency("size", "false")),
    ],
)
def test_a_dependency_names_a_node_and_perhaps_a_branch(reference: str, dependency: Dependency) -> None:
    assert Dependency.parse(reference) == dependency


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
            nodes.append(an_action(f"n{number}", *depends_on))
            endings[f"n{number}"] = draw(ENDINGS)
        else:
            nodes.append(a_condition(f"n{number}", *depends_on))
            endings[f"n{number}"] = draw(VERDICTS)
    return Story(Graph.of(nodes), endings)


def branches(node: Node) -> st.SearchStrategy[str]:
    return st.sampled_from(["", ":false"]) if node.type is NodeType.CONDITION else st.just("")


def tell(
    story: Story,
    choose: Callable[[Sequence[str]], str],
    look: Callable[[States, Sequence[str]], None] = lambda *_: None,
) -> tuple[States, RunPhase]:
    """Run to the end, where ``choose`` says which of the running nodes ends next and ``look`` sees every step."""
    states = story.graph.started_by("t0")
    while True:
        result = step(story.graph, states)
        look(states, result.ready)
        states |= result.skipped
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
def test_no_node_starts_before_what_it_depends_on_has_succeeded(story: Story) -> None:
    def look(states: States, ready: Sequence[str]) -> None:
        for name in ready:
            before = [edge.node for edge in story.graph.edges[name]]
            fired = [node for node in before if node.startswith("t")]
            others = [node for node in before if not node.startswith("t")]
            assert not fired or any(states[node].phase is NodePhase.SUCCEEDED for node in fired)
            assert all(states[node].phase is NodePhase.SUCCEEDED for node in others)

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
        result = step(story.graph, states)
        taken = {**states, **result.skipped}
        again = step(story.graph, taken)
        assert (again.ready, dict(again.skipped), again.outcome) == (result.ready, {}, result.outcome)
        under_way = step(story.graph, {**taken, **dict.fromkeys(ready, RUNNING)})
        assert (under_way.ready, dict(under_way.skipped)) == ((), {})

    tell(story, first, look)


@given(stories())
def test_a_run_is_as_good_as_its_worst_node(story: Story) -> None:
    states, outcome = tell(story, first)
    phases = {state.phase for state in states.values()}

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
