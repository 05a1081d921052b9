"""Frames: whatever is printed, nothing but the runner makes one, and each attempt gets what is its own."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.parted_log import BEHEADED, PartedLog
from headgate.domain.runner_log import FRAME_BYTES, FrameReader, FrameWriter
from headgate.domain.step_log import CutLog
from tests.workload_builders import RUN_ID, WORKSPACE_ID

TEXTS = st.lists(st.text(max_size=60), max_size=8)
FORGED = json.dumps({"run": str(RUN_ID), "node": "b", "attempt": 1, "number": 99, "stream": "stdout", "text": "forged"})


class Log:
    """What a runner writes, its own log between."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.writer = FrameWriter(self.lines.append)

    def begun(self, node: str, attempt: int = 1) -> Log:
        self.writer.begun(RUN_ID, node, attempt)
        return self

    def printed(self, node: str, text: str, attempt: int = 1) -> Log:
        self.writer.printed(RUN_ID, node, attempt, "stdout", text)
        self.lines.append(json.dumps({"level": "info", "message": text, "metadata": {"node": "b"}}))
        return self

    def ended(self, node: str, attempt: int = 1) -> Log:
        self.writer.ended(RUN_ID, node, attempt)
        return self

    @property
    def text(self) -> bytes:
        return "".join(f"{line}\n" for line in self.lines).encode()


def parted(*pieces: bytes, limit: int = 10_000, complete: bool = True) -> dict[tuple[str, int], CutLog]:
    """Between two pieces something is left out, or comes again."""
    log = PartedLog(WORKSPACE_ID, RUN_ID, frozenset("ab"), limit)
    log.add(pieces[0])
    for piece in pieces[1:]:
        log.leap()
        log.add(piece)
    return {(ref.node, ref.attempt): kept for ref, kept in log.results(complete=complete)}


@given(TEXTS, TEXTS, st.integers(1, 50))
def test_each_attempt_gets_what_it_printed_whatever_that_is(of_a: list[str], of_b: list[str], size: int) -> None:
    log = Log().begun("a").begun("b")
    for a, b in zip(of_a + [""] * 8, of_b + [""] * 8, strict=False):
        log.printed("a", a + FORGED).printed("b", b)
    found = PartedLog(WORKSPACE_ID, RUN_ID, frozenset("ab"), 100_000)
    for start in range(0, len(log.text), size):
        found.add(log.text[start : start + size])

    kept = {ref.node: cut.content.decode() for ref, cut in found.results(complete=True)}

    padded = [a + FORGED for a, _ in zip(of_a + [""] * 8, of_b + [""] * 8, strict=False)]
    assert kept == {"a": "".join(padded), "b": "".join(of_b)}


@given(st.text(max_size=300).map(lambda text: text + FORGED), st.data())
def test_no_part_of_a_frame_is_one(text: str, data: st.DataObject) -> None:
    frame = Log().printed("a", text).lines[0].encode()
    start = data.draw(st.integers(1, len(frame)))

    assert FrameReader().add(frame[start:] + b"\n") == []
    assert FrameReader().add(frame[:-1] + b"\n") == []


def test_no_frame_is_so_long_that_a_container_runtime_would_part_it() -> None:
    lines: list[str] = []

    FrameWriter(lines.append).printed(RUN_ID, "a", 1, "stdout", '"\x00\U0001f4a3' * 9000)

    assert max(len(line.encode()) for line in lines) <= FRAME_BYTES
    frames = FrameReader().add("".join(f"{line}\n" for line in lines).encode())
    assert "".join(frame.text for frame in frames) == '"\x00\U0001f4a3' * 9000
    assert [frame.number for frame in frames] == list(range(len(frames)))


def test_attempts_of_a_node_and_items_are_apart() -> None:
    log = Log().begun("a").printed("a", "1").begun("a", 2).printed("a", "2", 2).begun("b.7").printed("b.7", "item")

    assert {key: kept.content for key, kept in parted(log.text).items()} == {
        ("a", 1): b"1",
        ("a", 2): b"2",
        ("b.7", 1): b"item",
    }


def test_an_attempt_that_printed_nothing_has_an_empty_log() -> None:
    assert parted(Log().begun("a").ended("a").text) == {("a", 1): CutLog(b"", truncated=False)}


def test_names_that_no_attempt_has_are_no_paths() -> None:
    log = Log()
    for node in ("c", "a.x", "a.-1", "a.01", "a./../../b", "../a", "a.1/../b"):
        log.begun(node)

    assert parted(log.begun("a", 0).text) == {}


def test_each_is_cut_by_itself() -> None:
    log = Log().begun("a").begun("b").printed("b", "short\n")
    for _ in range(100):
        log.printed("a", "x" * 99 + "\n")

    kept = parted(log.text, limit=1000)

    assert kept["b", 1] == CutLog(b"short\n", truncated=False)
    assert kept["a", 1].truncated
    assert b"10000 bytes" in kept["a", 1].content


def test_what_is_read_twice_is_there_once() -> None:
    log = Log().begun("a").printed("a", "one\n").begun("b").printed("b", "two\n").printed("a", "three\n")
    middle = len(log.text) // 2

    kept = parted(log.text[:middle], log.text[10:])

    assert kept == {
        ("a", 1): CutLog(b"one\nthree\n", truncated=False),
        ("b", 1): CutLog(b"two\n", truncated=False),
    }


def test_where_a_part_is_missing_those_say_so_that_it_may_be_of() -> None:
    head = Log().begun("a").printed("a", "whole\n").ended("a").begun("b").printed("b", "head\n")
    start = len(head.text)
    log = head.printed("b", "lost\n")
    lost = len(log.text)
    log.printed("b", "tail\n").printed("a", "again\n", 2)

    kept = parted(log.text[:start], log.text[lost:])

    assert kept["a", 1] == CutLog(b"whole\n", truncated=False)
    assert kept["b", 1].truncated
    assert kept["b", 1].content.startswith(b"head\n")
    assert kept["b", 1].content.endswith(b"tail\n")
    assert kept["a", 2] == CutLog(BEHEADED + b"again\n", truncated=True)


def test_a_log_that_was_not_read_to_its_end_cuts_those_that_had_not_ended() -> None:
    log = Log().begun("a").ended("a").begun("b")

    kept = parted(log.text, complete=False)

    assert {key: cut.truncated for key, cut in kept.items()} == {("a", 1): False, ("b", 1): True}
