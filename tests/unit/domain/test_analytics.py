"""What days of runs amount to."""

from __future__ import annotations

import math

import pytest

from headgate.domain.analytics import BUCKETS_PER_DOUBLING, PERCENT_OFF, Tally, health, merged, percentile, trend


@pytest.mark.parametrize("milliseconds", [1, 2, 3, 999, 60_000, 86_399_999, 2_592_000_000])
def test_a_percentile_is_as_far_off_as_is_said_at_most(milliseconds: int) -> None:
    bucket = math.floor(BUCKETS_PER_DOUBLING * math.log2(milliseconds))
    told = percentile({bucket: 1}, 95)
    assert told == pytest.approx(milliseconds, rel=PERCENT_OFF / 100, abs=0.5)


def test_a_percentile_is_that_of_the_run_at_its_rank() -> None:
    assert percentile({80: 95, 160: 5}, 95) == percentile({80: 1}, 95)
    assert percentile({80: 94, 160: 6}, 95) == percentile({160: 1}, 95)
    assert percentile({}, 95) is None


def test_histograms_of_days_add_up() -> None:
    assert merged([{1: 2, 3: 4}, {3: 1}]) == {1: 2, 3: 5}


def test_cancelled_runs_say_nothing_of_success() -> None:
    assert Tally(total=4, successful=1, failed=1, cancelled=2).success_rate == 0.5
    assert Tally(total=1, cancelled=1).success_rate is None


def test_the_trend_compares_the_later_half_with_the_earlier_one() -> None:
    good, bad = Tally(total=1, successful=1), Tally(total=1, failed=1)
    assert trend([good, good, bad, bad]) == -1
    assert trend([bad, good]) == 1
    assert trend([Tally(), good]) is None


@pytest.mark.parametrize(
    ("tally", "direction", "score"),
    [
        (Tally(total=1, successful=1), None, 100),
        (Tally(total=1, failed=1), None, 20),
        (Tally(total=1, successful=1), -0.05, 95),
        (Tally(total=1, successful=1), 0.5, 100),
        (Tally(total=1, successful=1, queued=1, queue_ms=150_000), None, 95),
        (Tally(total=1, successful=1, queued=1, queue_ms=10**9), -1.0, 80),
        (Tally(total=1, cancelled=1), None, None),
    ],
)
def test_the_score_takes_off_for_failures_a_fall_and_waiting(
    tally: Tally, direction: float | None, score: int | None
) -> None:
    assert health(tally, direction) == score
