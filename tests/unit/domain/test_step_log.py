from __future__ import annotations

import re
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.step_log import NOTE_BYTES, CutLog, LogCutter, log_path
from tests.workload_builders import a_task

NOTE = re.compile(rb"\n?\[headgate: this log has ([^;]*); at most (\d+) are kept\]\n")
TEXTS = st.text(st.sampled_from("ab\n\u00e9\u20ac\U0001f4a3"), max_size=2000)
LIMITS = st.integers(0, 1500)


def cut(text: bytes, limit: int, piece: int = 7) -> CutLog:
    """Cut a text that comes in pieces."""
    cutter = LogCutter(limit)
    for start in range(0, len(text), piece):
        cutter.add(text[start : start + piece])
    return cutter.result()


def parts(content: bytes) -> tuple[bytes, bytes, bytes]:
    """What is before the note, what it says, and what is after it."""
    found = list(NOTE.finditer(content))
    assert len(found) == 1, content
    return content[: found[0].start()], found[0][1], content[found[0].end() :]


@given(TEXTS, LIMITS, st.integers(1, 700))
def test_what_fits_is_kept_as_it_is_and_nothing_is_ever_larger_than_the_limit(
    text: str, limit: int, piece: int
) -> None:
    whole = text.encode()

    kept = cut(whole, limit, piece)

    assert len(kept.content) <= limit
    assert kept.truncated == (len(whole) > limit)
    if not kept.truncated:
        assert kept.content == whole


@given(TEXTS, st.integers(NOTE_BYTES, 1500), st.integers(1, 700))
def test_head_and_tail_are_those_of_the_log_and_the_note_says_what_is_missing(
    text: str, limit: int, piece: int
) -> None:
    whole = text.encode()
    kept = cut(whole, limit, piece)
    if not kept.truncated:
        return

    head, note, tail = parts(kept.content)

    assert whole.startswith(head)
    assert whole.endswith(tail)
    missing = len(whole) - len(head) - len(tail)
    assert note == f"{len(whole)} bytes, of which {missing} are left out here".encode()
    kept.content.decode()


@given(st.binary(max_size=3000), LIMITS)
def test_bytes_that_are_no_text_are_no_trouble(whole: bytes, limit: int) -> None:
    kept = cut(whole, limit)

    assert len(kept.content) <= limit
    assert kept.truncated or kept.content == whole


@given(TEXTS, LIMITS, st.integers(1, 700), st.integers(1, 700))
def test_how_it_comes_in_pieces_makes_no_difference(text: str, limit: int, one: int, other: int) -> None:
    assert cut(text.encode(), limit, one) == cut(text.encode(), limit, other)


def test_most_of_the_limit_is_used() -> None:
    head, _, tail = parts(cut(b"0123456789" * 1000, 1000).content)

    assert len(head) + len(tail) == 1000 - NOTE_BYTES


def test_below_the_room_for_the_note_nothing_is_kept() -> None:
    assert cut(b"x" * 500, NOTE_BYTES - 1) == CutLog(b"", truncated=True)


def test_an_unknown_middle_is_told_and_the_end_is_what_came_last() -> None:
    cutter = LogCutter(600)
    cutter.add(b"head\n" + b"x" * 5000)
    cutter.leap()
    cutter.add(b"the end\n")

    head, note, tail = parts(cutter.result().content)

    assert head.startswith(b"head\n")
    assert note == b"more than 5005 bytes, of which the middle is left out here"
    assert tail == b"the end\n"


def test_however_much_passes_little_is_held() -> None:
    cutter = LogCutter(1000)
    for _ in range(1000):
        cutter.add(b"x" * 999)

        assert len(cutter._head) + len(cutter._rest) <= 4000

    assert cutter.seen == 999_000


def test_a_log_lies_by_workspace_month_and_run() -> None:
    ref = replace(a_task("extract.7", attempt=2).ref, run_id=UUID("019cd770-5e00-7000-8000-000000000001"))

    assert log_path(ref) == f"{ref.workspace_id}/2026-03/{ref.run_id}/extract.7.2.log"


def test_an_id_that_no_run_has_leads_nowhere() -> None:
    with pytest.raises(ValueError, match="not a UUIDv7"):
        log_path(replace(a_task().ref, run_id=UUID(int=7)))
