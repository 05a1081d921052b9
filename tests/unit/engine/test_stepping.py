"""A run goes as far as it can by itself, whatever its nodes are and in whatever order they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from headgate.api.workflow_run import NodePhase
from headgate.domain.graph import NodeState, step
from headgate.domain.ids import uuid7
from headgate.domain.spread import items_of, spread
from headgate.engine.definitions.definition import Definition, define
from headgate.engine.steps.facts import Facts
from headgate.engine.steps.stepping import Progress, advance
from headgate.engine.types import ExpressionError
from headgate.store.records import RunKey
from headgate.store.workflows import VersionContent

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = uuid7(NOW, bytes(10))
KEY = RunKey(UUID(int=1), RUN, NOW)
ENDINGS = st.sampled_from([NodePhase.SUCCEEDED, NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.CANCELLED])
UNDER_WAY = (NodePhase.QUEUED, NodePhase.RUNNING)


@dataclass
class Known(Facts):
    """What a run has given so far, without a database."""

    lists: dict[str, list[Any]] = field(default_factory=dict)

    async def known(self, nodes: frozenset[str]) -> tuple[Mapping[str, Any], dict[str, Any]]:
        return {}, {name: self.fresh.get(name) for name in nodes}

    async def items(self, node: str) -> list[Any]:
        return self.lists[node]

    async def results(self, node: str, count: int) -> list[Any]:
        return [self.fresh.get(f"{node}.{index}") for index in range(count)]


@dataclass(frozen=True)
class Values:
    """Gives each expression the value that it has, or the error."""

    given: Mapping[str, Any]

    async def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Any:
        return self.given[expression]

    async def evaluate_many(self, expressions: Sequence[str], variables: Mapping[str, Any]) -> list[Any]:
        return [self.given[expression] for expression in expressions]


@dataclass(frozen=True)
class Story:
    """A workflow, and what its expressions give."""

    definition: Definition
    values: Values


WORK = {"http": {"url": "http://example.test/"}}


@st.composite
def stories(draw: st.DrawFn) -> Story:
    nodes: list[dict[str, Any]] = [{"id": "start", "type": "trigger", "config": {"manual": {}}}]
    values: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 9))):
        name, expression = f"n{number}", f"inputs.n{number}"
        before = draw(st.lists(st.sampled_from(nodes), unique_by=lambda node: node["id"], min_size=1, max_size=3))
        node: dict[str, Any] = {"id": name, "type": "action", "dependsOn": [each["id"] for each in before]}
        kind = draw(st.sampled_from(["work", "work", "condition", "transform", "list", "list of transforms"]))
        if kind == "condition":
            node |= {"type": "condition", "config": {"expression": expression}}
            values[expression] = draw(st.sampled_from([True, True, False, ExpressionError("no such key")]))
        elif kind == "transform":
            node["config"] = {"transform": {"expression": expression}}
            values[expression] = draw(st.sampled_from([1, "text", ExpressionError("no such key")]))
        elif kind == "work":
            node["config"] = WORK
        else:
            each = {"transform": {"expression": "item"}} if kind == "list of transforms" else WORK
            node |= {"config": each, "forEach": {"items": expression, "parallelism": draw(st.integers(1, 2))}}
            values |= {expression: draw(st.sampled_from([[], [1], [1, 2, 3], "no list"])), "item": 1}
        if node["type"] == "action":
            node["onFailure"] = draw(st.sampled_from(["Fail", "Continue"]))
            node["final"] = any(each.get("final") for each in before)
        elif any(each.get("final") for each in before):
            continue
        nodes.append(node)
    nodes.append({"id": "last", "type": "action", "dependsOn": [nodes[-1]["id"]], "config": WORK, "final": True})
    content = VersionContent(1, {"nodes": nodes}, UUID(int=2), "acme", "nightly")
    return Story(define(UUID(int=3), content), Values(values))


def assert_went_as_far_as_it_could(definition: Definition, progress: Progress, facts: Known) -> None:
    decided = step(definition.graph, progress.states)
    assert (decided.ready, dict(decided.skipped)) == ((), {})
    assert decided.outcome is progress.outcome
    for node in definition.graph.nodes:
        if node.for_each is not None and progress.states[node.id].phase is NodePhase.RUNNING:
            after = spread(node, len(facts.lists[node.id]), items_of(node.id, progress.states))
            assert (after.start, after.phase) == ((), None)


@given(stories(), st.data())
async def test_nothing_is_left_that_may_start_or_end_by_itself(story: Story, data: st.DataObject) -> None:
    facts = Known(cast(Any, None), KEY, UUID(int=2))
    states = story.definition.graph.started_by("start")
    while True:
        progress = await advance(story.definition, RUN, states, facts, story.values, NOW)
        facts.lists |= {row.node: row.output for row in progress.steps if row.phase == "Running"}
        assert_went_as_far_as_it_could(story.definition, progress, facts)
        if progress.outcome is not None:
            return
        states = dict(progress.states)
        attempts = [name for name, state in states.items() if state.phase in UNDER_WAY and name not in facts.lists]
        assert attempts, "nothing is under way, and the run has not ended"
        ended = data.draw(st.sampled_from(attempts))
        states[ended] = replace(states[ended], phase=data.draw(ENDINGS))


@given(stories())
async def test_what_is_recorded_of_a_node_is_how_it_stands(story: Story) -> None:
    facts = Known(cast(Any, None), KEY, UUID(int=2))

    progress = await advance(
        story.definition, RUN, story.definition.graph.started_by("start"), facts, story.values, NOW
    )

    recorded = {row.node: (NodePhase(row.phase), row.attempt, row.branch, row.reason) for row in progress.steps}
    started = {
        name: state
        for name, state in progress.states.items()
        if state.phase is not NodePhase.PENDING and name != "start"
    }
    assert recorded == {name: _as_recorded(state) for name, state in started.items()}
    assert {task.node for task in progress.tasks} == {
        name for name, state in started.items() if state.phase is NodePhase.QUEUED
    }


async def test_a_node_that_begins_and_ends_at_once_is_recorded_with_both_times() -> None:
    each = {"dependsOn": ["start"], "config": WORK, "forEach": {"items": "inputs.none"}}
    nodes = [{"id": "start", "type": "trigger", "config": {"manual": {}}}, {"id": "each", "type": "action", **each}]
    definition = define(UUID(int=3), VersionContent(1, {"nodes": nodes}, UUID(int=2), "acme", "nightly"))
    facts = Known(cast(Any, None), KEY, UUID(int=2))

    progress = await advance(
        definition, RUN, definition.graph.started_by("start"), facts, Values({"inputs.none": []}), NOW
    )

    [row] = progress.steps
    assert (row.phase, row.attempt_started_at, row.attempt_finished_at) == ("Succeeded", NOW, NOW)


def _as_recorded(state: NodeState) -> tuple[NodePhase, int, str | None, str]:
    return state.phase, state.attempt, state.branch, state.reason
