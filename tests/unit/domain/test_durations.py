from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.durations import format_duration, parse_duration

LENGTHS = st.timedeltas(timedelta(0), timedelta(days=2000))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0s", timedelta(0)),
        ("850ms", timedelta(milliseconds=850)),
        ("30s", timedelta(seconds=30)),
        ("1h30m", timedelta(minutes=90)),
        ("2d4h", timedelta(hours=52)),
        ("90m", timedelta(minutes=90)),
        ("1m1ms", timedelta(minutes=1, milliseconds=1)),
        ("999999999d1ms", timedelta(days=999999999, milliseconds=1)),
    ],
)
def test_durations_are_sums_of_their_parts(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-5s", "1.5h", "5S", "5s,", "5m30", "\uff15s", "1h\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 30s, 5m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1000000000d", "999999999d999999999d", "9" * 400 + "s"])
def test_what_no_clock_can_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0ms"),
        (timedelta(microseconds=999), "0ms"),
        (timedelta(milliseconds=850), "850ms"),
        (timedelta(microseconds=999_999), "999ms"),
        (timedelta(seconds=1), "1s"),
        (timedelta(seconds=12.34), "12.3s"),
        (timedelta(seconds=59.999), "59.9s"),
        (timedelta(seconds=60), "1m"),
        (timedelta(seconds=72), "1m12s"),
        (timedelta(minutes=59, seconds=59.9), "59m59s"),
        (timedelta(hours=3, minutes=5, seconds=59), "3h5m"),
        (timedelta(days=1, minutes=59), "1d"),
        (timedelta(days=2, hours=4), "2d4h"),
        (timedelta(seconds=-1), "0ms"),
    ],
)
def test_people_read_two_units(length: timedelta, text: str) -> None:
    assert format_duration(length) == text


@given(LENGTHS.filter(lambda length: length >= timedelta(minutes=1)))
def test_a_minute_or_more_is_read_back_without_its_smaller_units(length: timedelta) -> None:
    smallest = (
        timedelta(hours=1)
        if length.days
        else timedelta(minutes=1)
        if length >= timedelta(hours=1)
        else timedelta(seconds=1)
    )

    assert timedelta(0) <= length - parse_duration(format_duration(length)) < smallest


@given(LENGTHS.filter(lambda length: length >= timedelta(minutes=1)))
def test_what_was_read_back_is_written_the_same(length: timedelta) -> None:
    text = format_duration(length)

    assert format_duration(parse_duration(text)) == text


@given(st.integers(0, 10**12))
def test_every_millisecond_counts(count: int) -> None:
    assert parse_duration(f"{count}ms") == timedelta(milliseconds=count)
