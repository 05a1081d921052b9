from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.node import Retry
from headgate.domain.retry import delay_before_next

DURATIONS = st.sampled_from(["1ms", "1s", "5s", "7m", "1h", "999d"])
POLICIES = st.builds(
    Retry, limit=st.integers(0, 20), initial_delay=DURATIONS, factor=st.integers(1, 10), max_delay=DURATIONS
)


def delays(retry: Retry) -> list[timedelta]:
    found: list[timedelta] = []
    while (delay := delay_before_next(retry, len(found) + 1)) is not None:
        found.append(delay)
    return found


def seconds(*values: float) -> list[timedelta]:
    return [timedelta(seconds=value) for value in values]


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (Retry(), []),
        (Retry(limit=3), seconds(5, 10, 20)),
        (Retry(limit=3, factor=1), seconds(5, 5, 5)),
        (Retry(limit=4, initial_delay="1s", factor=10, max_delay="50s"), seconds(1, 10, 50, 50)),
        (Retry(limit=2, initial_delay="10m", max_delay="1m"), seconds(60, 60)),
    ],
)
def test_every_wait_is_longer_until_the_longest(retry: Retry, expected: list[timedelta]) -> None:
    assert delays(retry) == expected


@given(POLICIES)
def test_there_are_as_many_retries_as_the_limit_says(retry: Retry) -> None:
    assert len(delays(retry)) == retry.limit


@given(POLICIES)
def test_waits_never_shrink(retry: Retry) -> None:
    assert delays(retry) == sorted(delays(retry))


@given(POLICIES)
def test_a_wait_is_the_factor_times_the_one_before_or_the_longest(retry: Retry) -> None:
    found = delays(retry)
    longest = delay_before_next(retry.model_copy(update={"initial_delay": retry.max_delay, "limit": 20}), 1)

    for before, after in pairwise(found):
        assert after == longest or after == before * retry.factor


def test_a_wait_as_long_as_time_itself_is_not_multiplied() -> None:
    retry = Retry(limit=3).model_copy(update={"initial_delay": "999999998d", "max_delay": "999999999d"})

    assert delays(retry)[-1] == timedelta(days=999999999)


@pytest.mark.parametrize(("luck", "seconds"), [(0.0, 100), (0.5, 75), (1.0, 50)])
def test_jitter_takes_a_part_of_the_wait_away(luck: float, seconds: int) -> None:
    retry = Retry(limit=1, initial_delay="100s", jitter=50)

    assert delay_before_next(retry, 1, luck) == timedelta(seconds=seconds)
