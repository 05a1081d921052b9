"""What is recommended, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from headgate.domain.recommendations import NodeDays, Rule, recommend

SOUND = NodeDays(
    workflow_id=UUID(int=1),
    workflow="nightly",
    node="extract",
    attempts=100,
    failed=2,
    average_ms=4_000,
    longest_ms=9_000,
    may_retry=True,
    retries=False,
    has_timeout=False,
)


@pytest.mark.parametrize(
    ("fared", "rules"),
    [
        ({}, []),
        ({"failed": 10}, [Rule.RETRY]),
        ({"failed": 9}, []),
        ({"failed": 10, "retries": True}, []),
        ({"failed": 10, "may_retry": False}, []),
        ({"failed": 50}, [Rule.REPAIR]),
        ({"failed": 50, "retries": True}, [Rule.REPAIR]),
        ({"failed": 5, "attempts": 10}, []),
        ({"longest_ms": 3_600_000}, [Rule.TIMEOUT]),
        ({"longest_ms": 3_600_000, "has_timeout": True}, []),
        ({"longest_ms": 3_600_000, "average_ms": 1_800_000}, []),
        ({"longest_ms": 500_000}, []),
        ({"longest_ms": 3_600_000, "average_ms": 0, "failed": 60}, [Rule.REPAIR, Rule.TIMEOUT]),
    ],
)
def test_a_node_is_told_what_goes_with_how_it_fared(fared: dict[str, Any], rules: list[Rule]) -> None:
    assert [one.rule for one in recommend([replace(SOUND, **fared)])] == rules


def test_it_says_of_what_and_from_which_numbers() -> None:
    [one] = recommend([replace(SOUND, failed=40)])

    assert (one.workflow_id, one.node) == (SOUND.workflow_id, "extract")
    assert "node extract of workflow nightly failed in 40% of its 100 attempts of the last 7 days" in one.message
    assert "retry.limit" in one.message
