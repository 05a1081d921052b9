"""Progress as lines and as a tree."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from headgate.cli.given import inputs_of, labels_of, moment_of, workflow_of
from headgate.cli.outcome import Code, code_of, words_of
from headgate.cli.progress import Progress
from headgate.cli.screen import lines, tree
from headgate.cli.session import Mistake
from headgate.cli.text import columns, printable
from headgate.client.errors import OutcomeUnknown, Refused, Unreachable
from headgate.client.events import Event

NOON = datetime(2026, 3, 10, 12, 0, 30, tzinfo=UTC)


def run(phase: str, reason: str = "", second: int = 0) -> Event:
    return Event("run", {"phase": phase, "reason": reason, "changedAt": f"2026-03-10T12:00:{second:02}Z"})


def step(node: str, phase: str, second: int = 0, attempt: int = 1, reason: str = "") -> Event:
    at = f"2026-03-10T12:00:{second:02}Z"
    return Event("step", {"node": node, "attempt": attempt, "phase": phase, "reason": reason, "changedAt": at})


def after(*events: Event) -> Progress:
    progress = Progress()
    for event in events:
        progress = progress.after(event)
    return progress


def drawn(progress: Progress, *, colour: bool = False) -> str:
    file = io.StringIO()
    Console(file=file, width=100, force_terminal=colour, no_color=not colour).print(
        tree("acme/nightly", progress, NOON)
    )
    return file.getvalue()


def test_each_change_is_a_line_and_what_is_as_it_was_is_none() -> None:
    file, progress = io.StringIO(), Progress()
    show = lines("acme/nightly", file, lambda: NOON)
    for event in (
        run("Running", second=1),
        step("a", "Queued", 2),
        step("a", "Queued", 3),
        step("a", "Failed", 9, reason="ExitCode"),
    ):
        progress = progress.after(event)
        show(progress)

    assert file.getvalue().splitlines() == [
        "acme/nightly",
        "12:00:01 run: Running",
        "12:00:02   a: Queued",
        "12:00:09   a: Failed (ExitCode)",
    ]


def test_of_a_run_nothing_is_said_until_it_was_told() -> None:
    """Steps come first where they changed in the same transaction."""
    file = io.StringIO()
    show = lines("acme/nightly", file, lambda: NOON)

    show(after(step("a", "Queued", 1)))

    assert file.getvalue().splitlines()[1:] == ["12:00:01   a: Queued"]


def test_what_happened_on_another_day_says_so_and_what_has_no_time_is_of_now() -> None:
    file = io.StringIO()
    show = lines("acme/nightly", file, lambda: NOON)
    node = {"id": "a", "phase": "Succeeded", "attempt": 1, "reason": "", "message": "", "output": None}
    times = {"startedAt": "2026-03-09T23:58:00Z", "finishedAt": "2026-03-09T23:59:00Z"}
    queued = {**node, "id": "b", "phase": "Queued", "startedAt": None, "finishedAt": None}
    told: Any = {"phase": "Running", "waitingFor": [], "finishedAt": None, "nodes": [{**node, **times}, queued]}

    show(Progress.of(told))

    assert file.getvalue().splitlines()[1:] == [
        "2026-03-09 23:59:00   a: Succeeded",
        "12:00:30   b: Queued",
        "12:00:30 run: Running",
    ]


def test_a_tree_has_items_below_their_node_and_how_long_each_took() -> None:
    text = drawn(
        after(
            run("Running"),
            step("a", "Running", 1),
            step("a", "Succeeded", 5),
            step("each", "Running", 5),
            step("each.0", "Running", 6),
            step("each.0", "Failed", 8, reason="ExitCode"),
        )
    )

    assert [line.rstrip() for line in text.splitlines()] == [
        "▶ acme/nightly Running",
        "├── ✔ a Succeeded 4s",
        "└── ▶ each Running 25s",
        "    └── ✘ each.0 Failed 2s ExitCode",
    ]


def test_an_attempt_begins_anew_and_an_older_one_changes_nothing() -> None:
    progress = after(step("a", "Running", 1), step("a", "Failed", 3), step("a", "Running", 9, attempt=2))

    assert "a (attempt 2) Running 21s" in drawn(progress)
    assert progress.after(step("a", "Failed", 3)) == progress


def test_what_others_wrote_moves_no_cursor_and_is_no_markup() -> None:
    progress = after(step("a", "Failed", reason="[bold]\x1b[2J\u202eX"))

    assert "[bold][2JX" in drawn(progress)
    assert printable("a\x1b]0;t\x07\r\nb\u200b") == "a]0;t b"
    assert columns(["A"], [["\x1b[31mx"]]) == "A\n[31mx"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused(409, "x"), Code.FAILED),
        (Refused(403, "x"), Code.FAILED),
        (Refused(404, "x"), Code.UNKNOWN),
        (Refused(422, "x"), Code.UNKNOWN),
        (Refused(503, "x"), Code.UNKNOWN),
        (Unreachable("x"), Code.UNKNOWN),
        (OutcomeUnknown("x"), Code.UNKNOWN),
    ],
)
def test_codes_tell_a_no_from_what_nobody_knows(error: Refused | Unreachable | OutcomeUnknown, code: Code) -> None:
    assert code_of(error) is code
    assert words_of(error).startswith("x")


def test_inputs_are_texts_unless_they_are_said_to_be_json(tmp_path: Any) -> None:
    file = tmp_path / "inputs.yaml"
    file.write_text("day: 2026-03-10\nsize: 1\n")

    assert inputs_of(str(file), ["size:=[2]", "version=1.10", "empty=", "equation=a=b"]) == {
        "day": "2026-03-10",
        "size": [2],
        "version": "1.10",
        "empty": "",
        "equation": "a=b",
    }


@pytest.mark.parametrize("pair", ["x", "=1", "1x=2", "x:=nope"])
def test_what_is_no_input_is_refused(pair: str) -> None:
    with pytest.raises(Mistake):
        inputs_of(None, [pair])


def test_other_words_are_read_or_refused() -> None:
    assert workflow_of("a/b") == ("a", "b")
    assert workflow_of("b") == (None, "b")
    assert labels_of(["a/b=c", "d="]) == {"a/b": "c", "d": ""}
    assert moment_of("1d", "--since", NOON, ahead=False) == "2026-03-09T12:00:30+00:00"
    assert moment_of("2026-03-10T12:00:00Z", "--since", NOON, ahead=False) == "2026-03-10T12:00:00+00:00"
    for mistaken in (
        lambda: workflow_of("/b"),
        lambda: labels_of(["x"]),
        lambda: moment_of("2026-03-10T12:00:00", "--since", NOON, ahead=False),
        lambda: moment_of("soon", "--since", NOON, ahead=False),
    ):
        with pytest.raises(Mistake):
            mistaken()


def test_progress_of_a_run_says_what_it_and_its_nodes_wait_for() -> None:
    node = {"id": "a", "phase": "Queued", "attempt": 1, "reason": "", "message": "", "output": None}
    waiting = {"node": None, "reason": "NoRoom", "message": "wait", "until": None}
    told: Any = {
        "phase": "Pending",
        "waitingFor": [waiting, {**waiting, "node": "a", "reason": "Mutex"}],
        "nodes": [{**node, "startedAt": None, "finishedAt": None}],
    }

    progress = Progress.of(json.loads(json.dumps(told)))

    assert (progress.reason, progress.steps["a"].reason) == ("NoRoom: wait", "Mutex")
