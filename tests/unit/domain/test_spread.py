from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.flow import ForEach
from headgate.api.node import Node
from headgate.api.workflow_run import NodePhase
from headgate.domain.graph import NodeState
from headgate.domain.spread import failures, index_of, item_name, items_of, node_of, spread
from tests.unit.domain.nodes import a_trigger, an_action

SUCCEEDED, FAILED = NodeState(NodePhase.SUCCEEDED, 1), NodeState(NodePhase.FAILED, 1)
QUEUED = NodeState(NodePhase.QUEUED, 1)


def a_spread(parallelism: int = 2, on_failure: str = "Fail") -> Node:
    node = an_action("work", "start", on_failure=on_failure)
    return node.model_copy(update={"for_each": ForEach(items="inputs.all", parallelism=parallelism)})


def tell(
    node: Node, endings: Sequence[NodeState], choose: Callable[[Sequence[int]], int]
) -> tuple[dict[int, NodeState], NodePhase, int]:
    """Run it to its end: the items that started, how the node ended, and how many ran at once at most."""
    items: dict[int, NodeState] = {}
    most = 0
    while True:
        decided = spread(node, len(endings), items)
        items |= dict.fromkeys(decided.start, QUEUED)
        if decided.phase is not None:
            return items, decided.phase, most
        under_way = [index for index, state in items.items() if not state.phase.is_final]
        assert under_way, "nothing runs, and the node has not ended"
        most = max(most, len(under_way))
        ended = choose(under_way)
        items[ended] = endings[ended]


ENDINGS = st.lists(st.sampled_from([SUCCEEDED, SUCCEEDED, SUCCEEDED, FAILED]), max_size=30)


@given(ENDINGS, st.integers(1, 8), st.sampled_from(["Fail", "Continue"]), st.randoms(use_true_random=False))
def test_it_ends_and_never_runs_more_at_once_than_it_may(
    endings: list[NodeState], parallelism: int, on_failure: str, random: Random
) -> None:
    items, phase, most = tell(a_spread(parallelism, on_failure), endings, random.choice)

    assert most <= parallelism
    assert all(state.phase.is_final for state in items.values())
    assert (phase is NodePhase.FAILED) == (on_failure == "Fail" and FAILED in items.values())


@given(ENDINGS, st.randoms(use_true_random=False))
def test_where_all_is_well_or_failures_do_not_matter_every_item_runs_once(
    endings: list[NodeState], random: Random
) -> None:
    items, phase, _ = tell(a_spread(3, "Continue"), endings, random.choice)

    assert sorted(items) == list(range(len(endings)))
    assert phase is NodePhase.SUCCEEDED


def test_after_a_failure_what_is_under_way_is_waited_for() -> None:
    decided = spread(a_spread(), 5, {0: FAILED, 1: QUEUED})

    assert (decided.start, decided.phase) == ((), None)


def test_a_node_without_a_list_is_none_of_this() -> None:
    with pytest.raises(ValueError, match="node work runs for no items"):
        spread(an_action("work", "start"), 1, {})


@pytest.mark.parametrize(("name", "node", "index"), [("work", "work", None), (item_name("work", 12), "work", 12)])
def test_an_item_is_named_after_its_node(name: str, node: str, index: int | None) -> None:
    assert (node_of(name), index_of(name)) == (node, index)


def test_only_the_items_of_the_node_are_its_items() -> None:
    states = {"work": QUEUED, "work.0": SUCCEEDED, "work-2.1": FAILED, "work.10": QUEUED, a_trigger().id: SUCCEEDED}

    assert items_of("work", states) == {0: SUCCEEDED, 10: QUEUED}


def a_failure(message: str) -> NodeState:
    return NodeState(NodePhase.FAILED, 1, reason="ExitCode", message=message)


class TestFailures:
    def test_where_none_failed_nothing_is_said(self) -> None:
        assert failures({0: SUCCEEDED, 1: QUEUED}, 3) == ""

    def test_the_item_is_named_with_what_it_says(self) -> None:
        items = {0: SUCCEEDED, 1: a_failure("exited with code 3: boom"), 2: SUCCEEDED}

        assert failures(items, 4) == "1 of 4 items failed; item 1: ExitCode: exited with code 3: boom"

    def test_of_several_the_first_speaks(self) -> None:
        items = {7: a_failure("seven"), 2: a_failure("two"), 0: SUCCEEDED}

        assert failures(items, 9) == "2 of 9 items failed; the first is item 2: ExitCode: two"

    def test_one_that_was_cancelled_speaks_only_where_no_other_does(self) -> None:
        items = {0: NodeState(NodePhase.CANCELLED, 1), 1: a_failure("boom")}

        assert "item 1: ExitCode: boom" in failures(items, 2)
        assert failures({0: items[0]}, 2) == "1 of 2 items failed; item 0"
