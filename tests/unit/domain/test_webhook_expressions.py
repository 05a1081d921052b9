from __future__ import annotations

from typing import Any

import pytest

from headgate.domain import triggers
from headgate.domain.expressions import problems
from headgate.domain.webhook_expressions import webhook_expressions, webhook_problems
from tests.builders import WorkflowBuilder, a_workflow, container


def a_hooked(**members: Any) -> WorkflowBuilder:
    webhook = {"hook": "orders", "secrets": [{"name": "shop", "key": "current"}], **members}
    return a_workflow().with_trigger("paid", {"webhook": webhook}).with_input("id")


def test_a_webhook_has_the_expressions_of_its_filter_and_its_inputs_each_once() -> None:
    hooked = a_hooked(when="trigger.body.n > 1", inputs={"id": ["${{ trigger.id }}", "${{ trigger.body.n > 1 }}"]})

    assert webhook_expressions(hooked.model().spec.nodes[1]) == ("trigger.body.n > 1", "trigger.id")
    assert webhook_expressions(hooked.model().spec.nodes[0]) == ()
    assert webhook_problems(hooked.model().spec) == ()


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"when": "inputs.id == 1"}, "node paid: there is no inputs here: a webhook reads trigger alone"),
        ({"when": "nodes.a.output"}, "node paid: there is no nodes here"),
        ({"when": "trigger.headers.cookie"}, "node paid: there is no trigger.headers: a delivery has body, event, id"),
        ({"inputs": {"id": "${{ event.phase }}"}}, "node paid: there is no event here"),
        ({"inputs": {"id": "${{ trigger.id"}}, "node paid: '${{ trigger.id' is not closed by }}"),
    ],
)
def test_what_it_cannot_read_is_said_with_the_node(members: dict[str, Any], says: str) -> None:
    [problem] = webhook_problems(a_hooked(**members).model().spec)

    assert problem.startswith(says)


def test_a_macro_may_call_its_variable_as_it_likes() -> None:
    assert webhook_problems(a_hooked(when="trigger.body.all(run, run > 1)").model().spec) == ()


def test_other_nodes_are_told_to_take_inputs() -> None:
    node = container(args=["${{ trigger.body.id }}"])
    hooked = a_hooked().with_node("work", node, after=["paid"])
    mutex = a_hooked().with_spec(concurrency={"mutex": "${{ trigger.id }}"})

    [problem] = problems(hooked.model().spec)
    assert problem == (
        "node work: there is no trigger here: hand what a run needs of a delivery to its inputs, "
        "in config.webhook.inputs"
    )
    assert problems(mutex.model().spec) == ("concurrency.mutex: it is known before any node runs: use inputs only",)


@pytest.mark.parametrize(
    ("hooked", "says"),
    [
        (a_hooked(inputs={"other": 1}), "node paid: there is no input other: declare it in spec.inputs"),
        (a_hooked().with_input("day", required=True), "node paid: the input day is required: give it a value in"),
        (a_hooked(inputs={"day": 1}).with_input("day", required=True), None),
        (a_hooked().with_input("day", required=True, default="today"), None),
    ],
)
def test_its_inputs_have_to_be_the_workflows(hooked: WorkflowBuilder, says: str | None) -> None:
    problem = triggers.problem("nightly", hooked.model().spec)

    assert (problem is None) if says is None else (problem or "").startswith(says)
