from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.api.node import Node
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.graph import Dependency, Graph, NodeState, phase_so_far, step
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


def test_every_run_starts_with_states_of_its_own() -> None:
    TRIGGERS.started_by("by-hand")["either"] = FAILED

    assert TRIGGERS.started_by("by-hand")["either"] == NodeState()


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


HANDLED = Graph.of(
    [
        a_trigger("start"),
        an_action("load", "start"),
        an_action("after", "load"),
        an_action("rescue", "load:failed"),
        an_action("report", "load:ended"),
    ]
)


@pytest.mark.parametrize(
    ("load", "after", "rescue", "report"),
    [
        (SUCCEEDED, RUNNING, skipped("BranchNotTaken"), RUNNING),
        (FAILED, skipped("UpstreamFailed"), RUNNING, RUNNING),
        (CANCELLED, skipped("UpstreamCancelled"), skipped("UpstreamCancelled"), RUNNING),
        (skipped("NotTriggered"), *[skipped("UpstreamSkipped")] * 3),
        (RUNNING, PENDING, PENDING, PENDING),
    ],
)
def test_an_action_is_followed_on_success_on_failure_or_either_way(
    load: NodeState, after: NodeState, rescue: NodeState, report: NodeState
) -> None:
    states = stepped(HANDLED, start=SUCCEEDED, load=load)

    assert (states["after"], states["rescue"], states["report"]) == (after, rescue, report)


def test_a_failure_that_is_handled_is_a_failure_of_the_run_all_the_same() -> None:
    after = stepped(HANDLED, start=SUCCEEDED, load=FAILED)
    ended = {**after, "rescue": SUCCEEDED, "report": SUCCEEDED}

    assert step(HANDLED, ended).outcome is RunPhase.FAILED


def test_after_a_failure_that_does_not_matter_the_run_goes_on_and_succeeds() -> None:
    graph = Graph.of([a_trigger("start"), an_action("try", "start", on_failure="Continue"), an_action("next", "try")])
    states = {**graph.started_by("start"), "try": FAILED}

    assert step(graph, states).ready == ("next",)
    assert step(graph, {**states, "next": SUCCEEDED}).outcome is RunPhase.SUCCEEDED


FINAL = Graph.of(
    [
        a_trigger("start"),
        an_action("a", "start"),
        an_action("b", "a"),
        an_action("tidy", "a", final=True),
        an_action("alarm", "a:failed", final=True),
        an_action("last", "tidy", final=True),
    ]
)


@pytest.mark.parametrize("b", [PENDING, RUNNING])
def test_a_final_node_waits_for_all_others(b: NodeState) -> None:
    assert stepped(FINAL, start=SUCCEEDED, a=SUCCEEDED, b=b)["tidy"] == PENDING


@pytest.mark.parametrize("a", [SUCCEEDED, FAILED, CANCELLED])
def test_a_final_node_runs_whatever_became_of_the_others(a: NodeState) -> None:
    after = stepped(FINAL, start=SUCCEEDED, a=a, b=skipped("UpstreamFailed"))

    assert after["tidy"] == RUNNING
    assert after["alarm"] == (RUNNING if a is FAILED else after["alarm"])
    assert after["last"] == PENDING


def test_a_final_node_may_be_for_failures_alone() -> None:
    assert stepped(FINAL, start=SUCCEEDED, a=SUCCEEDED, b=SUCCEEDED)["alarm"] == skipped("BranchNotTaken")


def test_a_final_node_that_fails_fails_the_run() -> None:
    states = {**FINAL.started_by("start"), "a": SUCCEEDED, "b": SUCCEEDED, "tidy": FAILED, "last": SUCCEEDED}

    assert step(FINAL, {**states, "alarm": skipped("BranchNotTaken")}).outcome is RunPhase.FAILED


@pytest.mark.parametrize(
    ("a", "phase"), [(SUCCEEDED, RunPhase.SUCCEEDED), (FAILED, RunPhase.FAILED), (CANCELLED, RunPhase.CANCELLED)]
)
def test_a_final_node_can_read_how_the_run_went(a: NodeState, phase: RunPhase) -> None:
    assert phase_so_far(FINAL, {**FINAL.started_by("start"), "a": a, "b": skipped("UpstreamFailed")}) is phase


def test_nothing_that_is_not_final_comes_after_a_final_node() -> None:
    with pytest.raises(ValueError, match="'next' depends on 'tidy', which is final: make it final too"):
        Graph.of([a_trigger("start"), an_action("tidy", "start", final=True), an_action("next", "tidy")])
