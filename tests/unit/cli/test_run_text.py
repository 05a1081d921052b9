"""A run as ``headgate get`` shows it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from headgate.cli.run_text import run_text
from headgate.client.api import Run

NODE = {
    "id": "work",
    "phase": "Succeeded",
    "attempt": 1,
    "startedAt": None,
    "finishedAt": None,
    "reason": "",
    "message": "",
    "output": None,
    "cost": None,
    "priceVersion": None,
    "requested": None,
    "used": None,
}
RUN = {
    "id": "0190",
    "namespace": "acme",
    "workflow": "nightly",
    "version": 1,
    "kind": "api",
    "resource": None,
    "mode": "Normal",
    "phase": "Running",
    "startedAt": "2026-03-10T12:00:00Z",
    "finishedAt": None,
    "labels": {},
    "errorMessage": None,
    "priority": 0,
    "retries": 0,
    "cancelling": False,
    "breakpoint": None,
    "inputs": None,
    "outputs": None,
    "cost": None,
    "waitingFor": [],
    "nodes": [NODE],
    "archived": False,
}


def shown(**members: Any) -> str:
    return run_text(cast("Run", {**RUN, **members}))


QUARTER = {"cpu": "0.25", "memoryBytes": 256 * 2**20}


@pytest.mark.parametrize(
    ("requested", "used", "says"),
    [
        (QUARTER, {"cpu": "0.123456789", "memoryBytes": 80 * 2**20}, "0.123/0.25 CPU 80/256 MiB"),
        (QUARTER, None, "?/0.25 CPU ?/256 MiB"),
    ],
)
def test_a_node_says_what_it_used_of_what_it_requested(requested: Any, used: Any, says: str) -> None:
    assert says in shown(nodes=[{**NODE, "requested": requested, "used": used}])


def test_where_neither_is_known_there_is_nothing() -> None:
    assert "CPU" not in shown()


def test_a_test_is_told_as_one_with_what_it_was_given() -> None:
    told = shown(mode="Test", inputs={"day": "monday"})

    assert "Test run 0190" in told
    assert "given day: monday" in told
    assert "given" not in shown()
