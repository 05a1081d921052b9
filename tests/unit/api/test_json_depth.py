from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.api.json_depth import is_too_deep
from tests.builders import a_workflow, container


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value, "b": [] if level else 2}
    return value


@pytest.mark.parametrize("value", [None, 1, "text", [], {}, nested(64), [[] for _ in range(1000)]])
def test_what_is_nested_as_deep_as_it_may_be_is_fine(value: Any) -> None:
    assert not is_too_deep(value)


@pytest.mark.parametrize("levels", [65, 20_000])
def test_one_level_more_is_too_deep(levels: int) -> None:
    assert is_too_deep(nested(levels))


def test_a_workflow_says_what_to_flatten() -> None:
    workflow = a_workflow().with_input("x", default=nested(65)).with_node("x", container())

    with pytest.raises(ValidationError, match="flatten it"):
        workflow.model()
