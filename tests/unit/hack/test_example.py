from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.example import Run, follow
from hack.kube import Kube
from hack.steps import TroubleError
from hack.summary import steps


class Told(Kube):
    """A cluster of which only the states of one run are known."""

    states: tuple[dict[str, Any], ...] = ()

    def watch(self, *_: str) -> Iterator[dict[str, Any]]:
        yield from self.states


def told(*statuses: dict[str, Any]) -> Told:
    kube = Told(Path("unused"))
    object.__setattr__(kube, "states", tuple({"metadata": {"name": "report-1"}, "status": each} for each in statuses))
    return kube


def node(name: str, phase: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "phase": phase, **more}


def lines(kube: Kube) -> list[str]:
    said: list[str] = []
    follow(kube, "acme", "report-1", said.append)
    return [" ".join(line.split()[2:]) for line in said]


def test_each_change_of_a_node_is_told_once() -> None:
    run = told(
        {"phase": "Running", "nodes": [node("extract", "Running"), node("report", "Pending")]},
        {"phase": "Running", "nodes": [node("extract", "Running"), node("report", "Pending")]},
        {"phase": "Running", "nodes": [node("extract", "Succeeded"), node("report", "Running", attempt=2)]},
        {"phase": "Succeeded", "nodes": [node("extract", "Succeeded"), node("report", "Succeeded", attempt=2)]},
    )

    assert lines(run) == [
        "extract Running",
        "extract Succeeded",
        "report Running, attempt 2",
        "report Succeeded, attempt 2",
    ]


def test_what_a_node_waits_for_is_told() -> None:
    waiting = {
        "phase": "Running",
        "nodes": [node("extract", "Queued")],
        "waitingFor": [{"node": "extract", "reason": "ImagePull"}],
    }

    assert lines(told(waiting, {"phase": "Succeeded", "nodes": []})) == ["extract Queued (ImagePull)"]


def test_what_a_whole_run_waits_for_is_told() -> None:
    waiting = {"phase": "Pending", "waitingFor": [{"reason": "ConcurrentRuns"}]}

    assert lines(told(waiting, {"phase": "Succeeded"})) == ["report-1 Pending (ConcurrentRuns)"]


@pytest.mark.parametrize("phase", ["Failed", "Cancelled"])
def test_a_run_that_does_not_succeed_is_trouble(phase: str) -> None:
    with pytest.raises(TroubleError, match=f"report-1 is {phase}"):
        lines(told({"phase": phase}))


def test_a_run_that_vanishes_is_trouble() -> None:
    with pytest.raises(TroubleError, match="not there"):
        lines(told())


def test_steps_are_shown_with_their_durations() -> None:
    run = Run(
        {
            "status": {
                "startedAt": "2025-11-01T10:00:00Z",
                "nodes": [
                    node(
                        "extract",
                        "Succeeded",
                        attempt=1,
                        startedAt="2025-11-01T10:00:01Z",
                        finishedAt="2025-11-01T10:00:04Z",
                    ),
                    node(
                        "enough",
                        "Succeeded",
                        attempt=1,
                        startedAt="2025-11-01T10:00:04Z",
                        finishedAt="2025-11-01T10:00:04Z",
                    ),
                    node("catch_up", "Skipped", reason="BranchNotTaken"),
                ],
            }
        }
    )

    assert steps(run).splitlines() == [
        "NODE       PHASE       ATTEMPT   AFTER   TOOK   REASON",
        "extract    Succeeded   1         1 s     3 s",
        "enough     Succeeded   1         4 s     <1 s",
        "catch_up   Skipped     -         -       -      BranchNotTaken",
    ]
