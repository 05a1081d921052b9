from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.stamped_log import NotStamped, StampedLog

FIRST = b"2026-11-26T10:00:00.000000001Z one\n"
SECOND = b"2026-11-26T10:00:01.000000002Z two\n"
THIRD = b"2026-11-26T10:00:01.000000003Z three\n"


def test_lines_are_given_without_their_times() -> None:
    assert StampedLog().add(FIRST + SECOND) == b"one\ntwo\n"


@given(st.lists(st.integers(1, 40), max_size=12))
def test_it_does_not_matter_how_it_comes(sizes: list[int]) -> None:
    whole, log, found = FIRST + b"2026-11-26T12:00:01+02:00 \n" + SECOND, StampedLog(), b""
    for size in (*sizes, len(whole)):
        found += log.add(whole[:size])
        whole = whole[size:]

    assert found + log.add(whole) == b"one\n\ntwo\n"


def test_a_log_that_was_read_is_read_on_from_the_second_before() -> None:
    log = StampedLog()
    assert log.since is None
    log.add(SECOND)

    assert log.since == "2026-11-26T10:00:00Z"


@pytest.mark.parametrize("broken_at", range(1, len(FIRST + SECOND + SECOND + THIRD)))
def test_wherever_the_connection_breaks_nothing_is_missing_and_nothing_comes_twice(broken_at: int) -> None:
    whole = FIRST + SECOND + SECOND + THIRD
    log = StampedLog()
    found = log.add(whole[:broken_at])
    log.again()

    assert found + log.add(whole) == b"one\ntwo\ntwo\nthree\n"


def test_it_may_break_more_than_once() -> None:
    log, found = StampedLog(), b""
    for end in (40, 20, 60, None):
        log.again()
        found += log.add((FIRST + SECOND + THIRD)[:end])

    assert found == b"one\ntwo\nthree\n"


def test_lines_that_are_stamped_in_another_order_than_they_are_written_are_all_given_once() -> None:
    log = StampedLog()
    found = log.add(FIRST + THIRD + SECOND)
    log.again()

    late = b"2026-11-26T10:00:01.000000001Z late\n"
    assert found + log.add(FIRST + THIRD + SECOND + late) == b"one\nthree\ntwo\nlate\n"


def test_where_the_last_line_is_gone_what_is_later_is_given() -> None:
    log = StampedLog()
    log.add(FIRST + SECOND)
    log.again()

    assert log.add(THIRD) == b"three\n"


@pytest.mark.parametrize(
    "said",
    [b"unable to retrieve container logs for containerd://1234\n", b"x" * 100, b"2026-11-26T10:00:01 no zone\n"],
)
def test_what_the_kubelet_says_is_not_taken_for_the_log(said: bytes) -> None:
    log = StampedLog()
    log.add(FIRST)

    with pytest.raises(NotStamped):
        log.add(said)
