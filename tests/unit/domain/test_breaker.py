from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from headgate.api.circuit_breaker import BreakerState
from headgate.domain.breaker import Breaker, BreakerSettings, failed, reset, succeeded, withdrawn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
THREE = BreakerSettings(failure_threshold=3, half_open_runs=2)


def later(**length: float) -> datetime:
    return NOON + timedelta(**length)


def after_failures(*times: datetime, settings: BreakerSettings = THREE, breaker: Breaker | None = None) -> Breaker:
    """The breaker after runs failed at these times that had just started."""
    breaker = breaker or Breaker()
    for time in times:
        breaker = failed(breaker, settings, time, since=time, probe=None)
    return breaker


def half_open(probes: int = 1) -> Breaker:
    """The breaker while runs of its first episode are being tried."""
    opened = after_failures(NOON, NOON, NOON)
    return replace(opened, state=BreakerState.HALF_OPEN, retry_at=None, episode=1, probes=probes)


def test_it_opens_at_the_threshold_and_says_until_when() -> None:
    assert after_failures(NOON, NOON).state is BreakerState.CLOSED

    opened = after_failures(NOON, NOON, NOON)

    assert (opened.state, opened.opened_at, opened.retry_at) == (BreakerState.OPEN, NOON, later(minutes=5))


def test_failures_outside_of_the_window_do_not_count() -> None:
    assert after_failures(NOON, NOON, later(minutes=6)).state is BreakerState.CLOSED


def test_it_closes_when_all_runs_that_are_tried_succeed() -> None:
    once = succeeded(half_open(2), THREE, probe=1)
    assert (once.state, once.probes, once.passed) == (BreakerState.HALF_OPEN, 1, 1)

    closed = succeeded(once, THREE, probe=1)

    assert (closed.state, closed.failures, closed.probes, closed.passed) == (BreakerState.CLOSED, (), 0, 0)


def test_it_opens_again_when_one_of_them_fails() -> None:
    again = failed(half_open(2), THREE, later(minutes=7), since=later(minutes=6), probe=1)

    assert (again.state, again.retry_at) == (BreakerState.OPEN, later(minutes=12))


def test_one_that_is_cancelled_gives_its_place_to_another() -> None:
    assert withdrawn(half_open(2), probe=1).probes == 1
    assert withdrawn(half_open(2), probe=None).probes == 2


def test_runs_of_before_say_nothing_about_whether_things_are_better() -> None:
    breaker = half_open(2)

    assert failed(breaker, THREE, later(minutes=7), since=later(minutes=-1), probe=None) == breaker
    assert failed(breaker, THREE, later(minutes=7), since=later(minutes=-1), probe=0) == breaker
    assert succeeded(breaker, THREE, probe=None) == breaker


def test_a_run_that_started_before_it_opened_does_not_count_once_it_closed() -> None:
    closed = reset(after_failures(NOON, NOON, NOON))

    assert failed(closed, THREE, later(minutes=7), since=NOON, probe=None) == closed
    assert failed(closed, THREE, later(minutes=7), since=later(minutes=6), probe=None) != closed


def test_a_person_closes_it_whatever_it_is() -> None:
    for breaker in (after_failures(NOON), after_failures(NOON, NOON, NOON), half_open()):
        closed = reset(breaker)
        assert (closed.state, closed.failures, closed.retry_at) == (BreakerState.CLOSED, (), None)


@given(st.lists(st.integers(0, 1200), max_size=20).map(sorted), st.integers(1, 6))
def test_it_opens_exactly_when_as_many_failures_as_the_threshold_are_in_one_window(
    seconds: list[int], threshold: int
) -> None:
    settings = BreakerSettings(failure_threshold=threshold)
    times = [later(seconds=second) for second in seconds]
    crowded = any(
        sum(end - settings.window < time <= end for time in times[: index + 1]) >= threshold
        for index, end in enumerate(times)
    )

    breaker = Breaker()
    for time in times:
        if breaker.state is BreakerState.CLOSED:
            breaker = failed(breaker, settings, time, since=time, probe=None)

    assert (breaker.state is BreakerState.OPEN) == crowded
    assert len(breaker.failures) < threshold


@given(st.lists(st.sampled_from(["start", "succeed", "fail", "cancel", "old"]), max_size=60), st.integers(1, 4))
def test_whatever_happens_while_half_open_it_never_sticks(events: list[str], runs: int) -> None:
    settings = replace(THREE, half_open_runs=runs)
    breaker, under_way = half_open(0), 0
    for event in events:
        if breaker.state is not BreakerState.HALF_OPEN:
            return
        if event == "start" and breaker.probes + breaker.passed < runs:
            breaker, under_way = replace(breaker, probes=breaker.probes + 1), under_way + 1
        elif event == "old":
            breaker = failed(breaker, settings, later(minutes=9), since=later(minutes=-9), probe=None)
        elif event != "start" and under_way:
            under_way -= 1
            if event == "succeed":
                breaker = succeeded(breaker, settings, probe=1)
            elif event == "fail":
                breaker = failed(breaker, settings, later(minutes=9), since=later(minutes=8), probe=1)
            else:
                breaker = withdrawn(breaker, probe=1)
        if breaker.state is BreakerState.HALF_OPEN:
            assert breaker.probes == under_way <= runs
            assert breaker.probes or breaker.passed < runs, "nothing is tried, and nothing may be"
