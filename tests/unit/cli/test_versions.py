from __future__ import annotations

from typing import Any

from headgate.api.workflow import WorkflowSpec
from headgate.cli.versions import replaced
from headgate.domain.spec_diff import difference, text
from headgate.engine.definitions.definition import content_of
from tests.builders import a_workflow


def spec(**members: Any) -> WorkflowSpec:
    return a_workflow().with_node("work", **members).model().spec


def test_a_diff_shows_what_changed_and_what_is_around_it() -> None:
    shown = difference(spec(), spec(timeout="5m"), "acme/nightly version 1", "acme/nightly version 2")

    assert shown.splitlines()[:2] == ["--- acme/nightly version 1", "+++ acme/nightly version 2"]
    changed = [line for line in shown.splitlines() if line[0] in "+-"][2:]
    assert changed == ["+  timeout: 5m"]


def test_the_same_has_no_difference() -> None:
    assert difference(spec(), spec(), "a", "b") == ""


def test_what_is_left_to_a_default_is_not_shown() -> None:
    assert "onFailure" not in text(spec())
    assert "registry.example.com/tools/task:1.0" in text(spec())


def test_going_back_gives_the_same_content_and_keeps_whether_it_is_suspended() -> None:
    live = a_workflow().with_node("other").with_spec(suspend=True).with_metadata(resourceVersion="7").manifest()

    back = replaced(live, spec(timeout="5m"))

    assert back["metadata"] == live["metadata"]
    assert back["spec"]["suspend"] is True
    assert content_of(WorkflowSpec.model_validate(back["spec"]))[0] == content_of(spec(timeout="5m"))[0]
