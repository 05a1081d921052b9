"""How many runners a pool has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headgate.domain.pool import Bounds, Load, PoolSize, resized

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BOUNDS = Bounds(least=0, most=5, idle=timedelta(seconds=60))


def after(size: PoolSize, seconds: float, load: Load, bounds: Bounds = BOUNDS) -> PoolSize:
    return resized(size, load, bounds, NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("load", "runners"),
    [
        (Load(), 0),
        (Load({"script": 3}), 3),
        (Load({"http": 16}), 1),
        (Load({"http": 17}), 2),
        (Load({"sql": 3, "connector": 2}), 2),
        (Load({"script": 2, "http": 33}), 3),
        (Load({"script": 99}), 5),
    ],
)
def test_there_are_as_many_as_are_of_use_at_once(load: Load, runners: int) -> None:
    assert after(PoolSize(0), 0, load).runners == runners


def test_it_shrinks_only_when_less_has_done_all_the_time() -> None:
    size = after(PoolSize(3), 0, Load())
    assert after(size, 59, Load()).runners == 3
    assert after(size, 60, Load()).runners == 0


def test_what_was_of_use_meanwhile_stays() -> None:
    size = after(after(PoolSize(4), 0, Load()), 30, Load({"script": 2}))

    assert after(size, 60, Load()).runners == 2


def test_a_load_that_comes_back_in_time_changes_nothing() -> None:
    size = PoolSize(2)
    for second in range(0, 600, 10):
        size = after(size, second, Load({"script": 2}) if second % 50 == 0 else Load())
        assert size.runners == 2


def test_the_time_begins_anew_after_each_change() -> None:
    size = after(after(after(PoolSize(4), 0, Load()), 30, Load({"script": 2})), 60, Load())
    size = after(size, 61, Load())

    assert after(size, 120, Load()).runners == 2
    assert after(size, 121, Load()).runners == 0


def test_other_bounds_hold_at_once() -> None:
    assert after(PoolSize(5), 0, Load(), Bounds(0, 2, BOUNDS.idle)).runners == 2
    assert after(PoolSize(0), 0, Load(), Bounds(1, 2, BOUNDS.idle)).runners == 1
