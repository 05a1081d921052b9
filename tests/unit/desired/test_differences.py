from __future__ import annotations

from typing import Any

import pytest

from headgate.desired.differences import contains, foreign_fields
from headgate.desired.keys import NETWORK_POLICY, SERVICE_ACCOUNT


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}),
        ([{"a": 1, "b": 2}], [{"a": 1}]),
        ({"a": []}, {"a": []}),
        ({"a": 1}, {}),
    ],
)
def test_contains(live: Any, desired: Any) -> None:
    assert contains(live, desired)


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        ({}, {"a": 1}),
        ({"a": 2}, {"a": 1}),
        ({"a": None}, {"a": {}}),
        ([1, 2], [1]),
        ([1], [1, 2]),
        ([2, 1], [1, 2]),
        ({"a": True}, {"a": 1}),
        ({"a": "1"}, {"a": 1}),
        ([], {}),
    ],
)
def test_does_not_contain(live: Any, desired: Any) -> None:
    assert not contains(live, desired)


def test_only_sections_of_ours_have_foreign_fields() -> None:
    live = {"spec": {"podSelector": {}, "ingress": []}, "metadata": {"labels": {"team": "blue"}}, "status": {}}

    assert foreign_fields(live, {"spec": {"podSelector": {}}}, NETWORK_POLICY) == {"spec": {"ingress": None}}
    assert foreign_fields(live, {}, SERVICE_ACCOUNT) == {}
