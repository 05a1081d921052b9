from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from headgate.api.debugging import Breakpoint, BreakpointAt, Debug, RunMode
from headgate.api.node import NodeConfig
from headgate.api.workflow_run import NodePhase
from headgate.domain.apart import (
    NORMAL,
    Apart,
    Beginning,
    GoingOn,
    Impossible,
    Pin,
    beginning,
    breakpoint_of,
    check,
    contradiction,
    needs_mock,
)
from headgate.domain.graph import Graph, NodeState
from tests.unit.domain.nodes import a_trigger, an_action

CHAIN = Graph.of([a_trigger(), an_action("a"), an_action("b", "a"), an_action("c", "b"), an_action("aside")])
TOKEN = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}
SHOP = {"name": "SHOP", "valueFrom": {"credentialKeyRef": {"name": "shop", "key": "token"}}}


def a_debug(**members: Any) -> Debug:
    return Debug.model_validate(members)


def begun(found: dict[str, Pin], **members: Any) -> Beginning:
    return beginning(CHAIN, a_debug(**members), found)


def let_go(apart: Apart, at: str, *, resume: int = 0, step: int = 0) -> Apart:
    """The run, which stands there, after that was asked of it; it has to go on."""
    on = replace(apart, at=at).past(GoingOn(resume, step))
    assert on is not None
    return on


def a_script(*env: dict[str, Any]) -> NodeConfig:
    return NodeConfig.model_validate({"script": {"language": "shell", "source": "true", "env": env}})


class TestCheck:
    def test_what_it_speaks_of_must_be_there(self) -> None:
        for members in (
            {"pins": [{"node": "x", "run": "1"}]},
            {"pins": [{"node": "start", "run": "1"}]},
            {"mocks": [{"node": "x"}]},
            {"stopAfter": "x"},
        ):
            with pytest.raises(Impossible, match="the workflow has no node"):
                check(CHAIN, a_debug(**members))

    def test_a_node_has_a_mock_or_a_pin(self) -> None:
        pins = [{"node": "a", "run": "1"}, {"node": "b", "run": "1"}]

        check(CHAIN, a_debug(pins=pins, mocks=[{"node": "c"}]))
        with pytest.raises(Impossible, match="give node 'b' either a mock or a pin"):
            check(CHAIN, a_debug(pins=pins, mocks=[{"node": "b"}]))


class TestContradiction:
    @pytest.mark.parametrize(
        ("mode", "members", "says"),
        [
            (RunMode.NORMAL, {}, "set mode to Test or Debug"),
            (RunMode.TEST, {"breakpoints": [{"node": "a"}]}, "set mode to Debug"),
            (RunMode.DEBUG, {"mocks": [{"node": "a"}, {"node": "b"}, {"node": "a"}]}, "give node 'a' one mock"),
            (RunMode.DEBUG, {"pins": [{"node": "a", "run": "1"}, {"node": "a", "run": "2"}]}, "one pin"),
            (
                RunMode.DEBUG,
                {"breakpoints": [{"node": "a"}, {"node": "a", "at": "Before"}]},
                "breakpoint before a once",
            ),
        ],
    )
    def test_what_the_api_server_refuses_nobody_else_may_say(
        self, mode: RunMode, members: dict[str, Any], says: str
    ) -> None:
        assert says in (contradiction(mode, a_debug(**members)) or "")

    def test_what_can_be_done_is_none(self) -> None:
        assert contradiction(RunMode.TEST, a_debug(mocks=[{"node": "a"}], stopAfter="b")) is None
        assert contradiction(RunMode.DEBUG, a_debug(breakpoints=[{"node": "a"}, {"node": "b"}])) is None

    def test_a_node_may_have_a_breakpoint_for_each_moment(self) -> None:
        points = [{"node": "a", "at": at} for at in BreakpointAt]

        assert contradiction(RunMode.DEBUG, a_debug(breakpoints=points)) is None


class TestStanding:
    started = Apart(RunMode.DEBUG, a_debug(breakpoints=[{"node": "a"}]))
    pending: ClassVar[Mapping[str, NodeState]] = {name: NodeState(NodePhase.PENDING) for name in ("a", "b", "aside")}

    def test_where_it_stands_is_told_by_node_and_moment(self) -> None:
        for at, words in (("Before", "before a"), ("After", "after a"), ("Failure", "at the failure of a")):
            assert breakpoint_of(words) == Breakpoint(node="a", at=BreakpointAt(at))

    def test_let_go_on_it_passes_what_it_stood_at_and_stops_nowhere_else(self) -> None:
        at = self.started.stop(["a", "aside"], self.pending)
        assert at == "before a"
        on = let_go(self.started, at, resume=1)

        assert (on.at, on.resumed) == (None, 1)
        assert on.stop(["a", "aside"], self.pending) is None
        assert on.stop(["b"], self.pending) is None

    def test_at_a_node_with_several_it_stops_at_each_in_turn(self) -> None:
        on = Apart(
            RunMode.DEBUG, a_debug(breakpoints=[{"node": "a", "at": at} for at in ("After", "Before", "Failure")])
        )
        failed = {**self.pending, "a": NodeState(NodePhase.FAILED, 1)}
        stops: list[str | None] = []
        for ready, states in ((["a"], self.pending), ([], failed), ([], failed), ([], failed)):
            stops.append(on.stop(ready, states))
            on = replace(on, at=stops[-1]).past(GoingOn(resume=len(stops))) or on

        assert stops == ["before a", "after a", "at the failure of a", None]

    def test_a_step_lets_start_what_is_ready_and_ends_before_what_is_ready_next(self) -> None:
        on = let_go(self.started, "before a", step=1)

        assert on.stop(["a", "aside"], self.pending) is None
        assert on.stop(["b"], self.pending) == "before b"
        assert on.stop([], self.pending) is None

    def test_the_next_step_ends_one_further_and_going_on_ends_stepping(self) -> None:
        first = let_go(self.started, "before a", step=1)
        second = let_go(first, "before b", step=2)

        assert second.stop(["b"], self.pending) is None
        assert second.stop(["aside"], self.pending) == "before aside"
        assert let_go(first, "before b", resume=1, step=1).stop(["aside"], self.pending) is None

    def test_each_number_counts_once_and_only_where_it_stands(self) -> None:
        on = let_go(self.started, "before a", resume=2, step=0)

        assert on.past(GoingOn(3, 1)) is None
        again = replace(on, at="before b")
        assert again.past(GoingOn(2, 0)) is None
        assert let_go(again, "before b", resume=2, step=7).past(GoingOn(2, 7)) is None

    def test_going_on_comes_first_and_the_step_where_it_stands_next(self) -> None:
        on = let_go(self.started, "before a", resume=1, step=1)

        assert (on.stepping, on.resumed, on.stepped) == (False, 1, 0)
        assert let_go(on, "before b", resume=1, step=1).stepping

    def test_whoever_has_not_seen_what_was_done_since_asked_for_another_place(self) -> None:
        stepped = replace(let_go(self.started, "before a", step=1), at="before b")

        assert stepped.past(GoingOn(1, 0)) is None

    def test_retried_it_stops_anew_at_what_runs_again_and_nowhere_else(self) -> None:
        points = [{"node": "a", "at": "After"}, {"node": "b"}]
        stood = Apart(RunMode.DEBUG, a_debug(breakpoints=points), frozenset({"after a", "before b"}), "before c")
        done = {**self.pending, "a": NodeState(NodePhase.SUCCEEDED, 1)}

        again = stood.again({"b", "c"})

        assert (again.at, again.stop(["b"], done)) == (None, "before b")
        assert stood.again({"c"}).stop(["c"], done) is None

    def test_all_of_it_is_kept(self) -> None:
        on = let_go(self.started, "before a", step=3)

        assert Apart.of("Debug", on.options()) == on
        assert Apart.of("Debug", replace(on, stepping=False).options()).stepped == 3


class TestBeginning:
    pin = Pin("x", None)

    def test_without_a_start_nodes_are_pinned_when_their_turn_comes(self) -> None:
        assert begun({"b": self.pin}, pins=[{"node": "b", "run": "1"}]) == Beginning({}, (), {})

    def test_what_comes_before_the_start_has_what_it_is_pinned_to_from_the_beginning(self) -> None:
        stands = begun({"b": self.pin}, startFrom="c", mocks=[{"node": "a"}])

        assert stands == Beginning({"b": self.pin}, ("a",), {"aside": "BeforeStart"})

    def test_what_has_neither_is_named(self) -> None:
        with pytest.raises(Impossible, match="give node 'a' a mock, or name by pins or pinsFrom a run"):
            begun({"b": self.pin}, startFrom="c")

    def test_what_comes_after_the_end_is_not_pinned_either(self) -> None:
        assert begun({"c": self.pin}, stopAfter="b").skipped == {"c": "AfterStop", "aside": "AfterStop"}


class TestNeedsMock:
    def test_scripts_run_by_themselves(self) -> None:
        assert needs_mock(a_script(TOKEN)) is None

    def test_but_for_those_that_are_given_credentials(self) -> None:
        told = needs_mock(a_script(TOKEN, SHOP))

        assert told is not None
        assert told.endswith("its script names credentials, which the gateway gives: shop")

    @pytest.mark.parametrize(
        ("kind", "config"),
        [
            ("http", {"http": {"url": "https://example.com"}}),
            ("sql", {"sql": {"connection": {"name": "db", "key": "dsn"}, "query": "SELECT 1"}}),
        ],
    )
    def test_what_reaches_others_needs_one(self, kind: str, config: dict[str, Any]) -> None:
        told = needs_mock(NodeConfig.model_validate(config))

        assert told is not None
        assert told.endswith(f"this node is of kind {kind}")

    def test_a_container_needs_none(self) -> None:
        assert needs_mock(an_action("a").config) is None


def test_what_runners_do_is_a_job_s_where_there_are_none() -> None:
    test = Apart(RunMode.TEST)

    assert [test.done_by(kind) for kind in ("runner", "job", "call")] == ["job", "job", "call"]
    assert NORMAL.done_by("runner") == "runner"
