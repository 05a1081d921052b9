from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.workflow_run import NodePhase, NodeStatus, RunPhase, WaitingFor, WorkflowRunStatus
from headgate.domain.run_status import (
    duration,
    is_minor,
    patience,
    progress,
    seconds,
    summary,
    waiting_column,
    waiting_for,
)
from headgate.domain.task import Waiting

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def nodes(*phases: NodePhase) -> list[NodeStatus]:
    return [NodeStatus(id=f"n{number}", phase=phase) for number, phase in enumerate(phases)]


def test_what_a_run_waits_for() -> None:
    waiting = Waiting("ImagePull", "no such image", "extract", until=NOON)

    assert waiting_for([waiting]) == (
        WaitingFor(node="extract", reason="ImagePull", message="no such image", until=NOON.replace(microsecond=0)),
    )
    assert waiting_for([]) == ()


def test_a_whole_run_waits_too() -> None:
    assert waiting_for([Waiting("Concurrency")]) == (WaitingFor(reason="Concurrency"),)


@pytest.mark.parametrize("message", ["", "x" * 1_024, "x" * 3_000], ids=len)
def test_any_message_fits(message: str) -> None:
    (built,) = waiting_for([Waiting("Mount", message, "extract")])

    assert len(built.message) <= 1024


@pytest.mark.parametrize(
    ("waiting", "column"),
    [
        ([], None),
        ([Waiting("ImagePull", node="extract")], "ImagePull: extract"),
        ([Waiting("Concurrency")], "Concurrency"),
        ([Waiting("Retry", node="a"), Waiting("ImagePull", node="b"), Waiting("Retry", node="c")], "Retry, ImagePull"),
    ],
)
def test_the_column_is_short(waiting: list[Waiting], column: str | None) -> None:
    assert waiting_column(waiting_for(waiting)) == column


@given(st.lists(st.builds(Waiting, st.text(min_size=1, max_size=128), st.just(""), st.just("n" * 40)), max_size=20))
def test_the_column_fits_its_field(waiting: list[Waiting]) -> None:
    column = waiting_column(waiting_for(waiting))

    assert WorkflowRunStatus(waiting=column).waiting == column


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ((), "0/0"),
        ((NodePhase.PENDING, NodePhase.QUEUED, NodePhase.RUNNING), "0/3"),
        ((NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.SKIPPED, NodePhase.CANCELLED, NodePhase.RUNNING), "4/5"),
    ],
)
def test_progress_counts_what_will_not_change_any_more(phases: tuple[NodePhase, ...], expected: str) -> None:
    assert progress(nodes(*phases)) == expected


def test_only_a_finished_run_has_a_duration() -> None:
    assert duration(NOON, NOON + timedelta(seconds=72)) == "1m12s"
    assert duration(NOON, None) is None
    assert duration(None, None) is None


def test_times_are_whole_seconds() -> None:
    assert seconds(NOON) == datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
    assert seconds(None) is None


@pytest.mark.parametrize(
    ("phase", "waiting", "error", "expected"),
    [
        (RunPhase.PENDING, (), None, ("Pending", "")),
        (RunPhase.RUNNING, (), None, ("Running", "")),
        (RunPhase.SUSPENDED, (), None, ("Suspended", "")),
        (RunPhase.SUCCEEDED, (), None, ("Succeeded", "every node is done")),
        (RunPhase.CANCELLED, (), None, ("Cancelled", "the run was cancelled")),
        (RunPhase.FAILED, (), "extract: ExitCode", ("Failed", "extract: ExitCode")),
        (RunPhase.FAILED, (), None, ("Failed", "the run failed")),
        (RunPhase.RUNNING, (WaitingFor(reason="ImagePull", message="no"),), None, ("ImagePull", "no")),
        (RunPhase.RUNNING, (WaitingFor(reason="Retry"),), None, ("Retry", "Retry")),
        (RunPhase.SUCCEEDED, (WaitingFor(reason="Retry"),), None, ("Succeeded", "every node is done")),
    ],
)
def test_the_run_in_one_word_and_one_sentence(
    phase: RunPhase, waiting: tuple[WaitingFor, ...], error: str | None, expected: tuple[str, str]
) -> None:
    assert summary(phase, waiting, error) == expected


def a_status(*phases: NodePhase, phase: RunPhase = RunPhase.RUNNING, waiting: str = "") -> WorkflowRunStatus:
    said = (WaitingFor(node="n0", reason=waiting),) if waiting else ()
    attempts = tuple(
        NodeStatus(id=f"n{number}", phase=each, attempt=0 if each is NodePhase.PENDING else 1)
        for number, each in enumerate(phases)
    )
    return WorkflowRunStatus(phase=phase, nodes=attempts, waiting_for=said)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (WorkflowRunStatus(), a_status(NodePhase.QUEUED), 3),
        (WorkflowRunStatus(), a_status(NodePhase.RUNNING), 1),
        (WorkflowRunStatus(), a_status(NodePhase.QUEUED, waiting="ImagePull"), 1),
        (a_status(NodePhase.QUEUED), a_status(NodePhase.RUNNING), 10),
        (a_status(NodePhase.QUEUED), a_status(NodePhase.QUEUED, waiting="Unschedulable"), 1),
        (a_status(NodePhase.QUEUED, waiting="Queued"), a_status(NodePhase.QUEUED, waiting="Unschedulable"), 10),
        (a_status(NodePhase.QUEUED, waiting="Runner"), a_status(NodePhase.RUNNING), 10),
        (a_status(NodePhase.QUEUED, waiting="Runner"), a_status(NodePhase.QUEUED, waiting="RunnerSilent"), 1),
        (a_status(NodePhase.QUEUED), a_status(NodePhase.QUEUED, waiting="ImagePull"), 1),
        (a_status(NodePhase.QUEUED, waiting="ImagePull"), a_status(NodePhase.RUNNING), 1),
        (a_status(NodePhase.QUEUED, waiting="Unschedulable"), a_status(NodePhase.RUNNING), 10),
        (a_status(NodePhase.RUNNING, NodePhase.PENDING), a_status(NodePhase.SUCCEEDED, NodePhase.QUEUED), 1),
        (a_status(NodePhase.RUNNING), a_status(NodePhase.SUCCEEDED, phase=RunPhase.SUCCEEDED), 0),
    ],
)
def test_what_is_worth_a_write_sooner_or_later(
    before: WorkflowRunStatus, after: WorkflowRunStatus, expected: int
) -> None:
    assert patience(before, after) == timedelta(seconds=expected)


QUEUED, STARTED = a_status(NodePhase.QUEUED), a_status(NodePhase.RUNNING)
FULL = a_status(NodePhase.QUEUED, waiting="Unschedulable")
BROKEN = a_status(NodePhase.QUEUED, waiting="MissingSecret")
DONE = a_status(NodePhase.SUCCEEDED, phase=RunPhase.SUCCEEDED)


@pytest.mark.parametrize(
    ("before", "after", "beside", "expected"),
    [
        (WorkflowRunStatus(), STARTED, 10, 1),
        (WorkflowRunStatus(), STARTED, 100, 10),
        (WorkflowRunStatus(), QUEUED, 5_000, 30),
        (QUEUED, FULL, 100, 10),
        (FULL, QUEUED, 20, 20),
        (FULL, STARTED, 5_000, 90),
        (QUEUED, BROKEN, 5_000, 1),
        (FULL, DONE, 5_000, 0),
    ],
)
def test_among_many_open_runs_what_calls_for_nobody_is_told_later(
    before: WorkflowRunStatus, after: WorkflowRunStatus, beside: int, expected: int
) -> None:
    assert patience(before, after, beside=beside) == timedelta(seconds=expected)


@pytest.mark.parametrize(
    ("before", "after", "minor"),
    [
        (QUEUED, STARTED, True),
        (FULL, STARTED, True),
        (FULL, a_status(NodePhase.QUEUED, waiting="ContainerCreating"), True),
        (FULL, FULL, False),
        (QUEUED, FULL, False),
        (FULL, BROKEN, False),
        (BROKEN, STARTED, False),
        (WorkflowRunStatus(), STARTED, False),
        (a_status(NodePhase.RUNNING, NodePhase.PENDING), a_status(NodePhase.SUCCEEDED, NodePhase.QUEUED), False),
    ],
)
def test_that_an_attempt_started_or_waits_for_other_room_is_minor(
    before: WorkflowRunStatus, after: WorkflowRunStatus, minor: bool
) -> None:
    assert is_minor(before, after) is minor
