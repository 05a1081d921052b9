from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headgate.domain.amounts import Amount
from headgate.domain.cost import Footprint, charged
from headgate.domain.measured import Measured, Sample, Use, sample_of

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CORE, MIB = Amount.of(1), Amount.of(2**20)
NOTHING = Amount(0)


def told(at: str = "2026-03-10T12:00:00Z", window: str = "15s", **usage: str) -> dict[str, Any]:
    """A PodMetrics, as the API server gives it."""
    usage = {"cpu": "250m", "memory": "64Mi", **usage}
    return {"timestamp": at, "window": window, "containers": [{"name": "main", "usage": usage}]}


def after(seconds: float, cpu: Amount = CORE, memory: Amount = MIB, window: float = 15) -> Sample:
    return Sample(NOON + timedelta(seconds=seconds), timedelta(seconds=window), Measured(cpu, memory))


class TestSample:
    def test_is_what_all_containers_use_together(self) -> None:
        metrics = told(window="1m0.5s", cpu="12345678n")
        metrics["containers"].append({"name": "sidecar", "usage": {"cpu": "1", "memory": "1Ki"}})

        found = sample_of(metrics, NOON)

        used = Measured(Amount(1_012_345_678), Amount.of(64 * 2**20 + 1024))
        assert found == Sample(NOON, timedelta(seconds=60.5), used)

    @pytest.mark.parametrize(
        "garbage",
        [
            {},
            {**told(), "timestamp": None},
            {**told(), "timestamp": "yesterday"},
            told(at="2026-03-10T12:00:00"),
            told(at="2026-03-10T12:02:00Z"),
            told(window=""),
            told(window="0s"),
            told(window="soon"),
            told(window="-15s"),
            told(window="999999999h"),
            told(cpu="a lot"),
            told(cpu="-1"),
            told(cpu="1E"),
            told(memory="-1Ki"),
            told(memory="9E"),
            {**told(), "containers": None},
            {**told(), "containers": []},
            {**told(), "containers": [{"name": "main"}]},
            {**told(), "containers": [{"name": "main", "usage": {"cpu": 1, "memory": "1"}}]},
            {**told(), "containers": [{"name": "main", "usage": {"cpu": "1"}}]},
        ],
    )
    def test_what_cannot_be_right_is_none(self, garbage: dict[str, Any]) -> None:
        assert sample_of(garbage, NOON) is None


class TestMean:
    def test_weighs_each_sample_by_the_time_since_the_last_one(self) -> None:
        use = Use(NOON).told(after(15, Amount.of(4))).told(after(45, CORE)).told(after(75, NOTHING))

        # 15 seconds of four, 30 of one and 30 of none.
        assert use.mean() == Measured(
            Amount.parse("1200m"), Amount(2**20 * 10**9 * 45 // 75 + 2**20 * 10**9 * 30 // 75)
        )

    def test_is_nothing_known_without_samples(self) -> None:
        assert Use(NOON).mean() is None

    def test_begins_with_the_container(self) -> None:
        assert Use(NOON).told(after(0)).mean() is None
        assert Use(NOON).told(after(5)).microseconds == 5_000_000

    def test_the_first_stands_for_its_window_and_no_more(self) -> None:
        assert Use(NOON).told(after(600)).microseconds == 15_000_000

    def test_what_is_told_again_or_late_changes_nothing(self) -> None:
        use = Use(NOON).told(after(30)).told(after(60))

        assert use.told(after(60, Amount.of(9))) == use
        assert use.told(after(45, Amount.of(9))) == use

    def test_of_a_long_silence_nothing_is_known(self) -> None:
        use = Use(NOON).told(after(15)).told(after(3600, NOTHING))

        assert use.microseconds == 135_000_000

    def test_is_exact_and_rounds_to_a_billionth(self) -> None:
        use = Use(NOON).told(after(10, Amount(1), window=10)).told(after(30, Amount(2)))

        assert use.mean() == Measured(Amount(2), MIB)


@pytest.mark.parametrize(
    ("used", "cpu", "memory"),
    [
        (None, "1", "2"),
        (Measured(Amount.parse("500m"), Amount.of(1)), "1", "2"),
        (Measured(Amount.parse("1500m"), Amount.of(1)), "1500m", "2"),
        (Measured(Amount.parse("500m"), Amount.of(3)), "1", "3"),
    ],
)
def test_of_each_resource_the_larger_is_paid_for(used: Measured | None, cpu: str, memory: str) -> None:
    held = Footprint(CORE, Amount.of(2), Amount.of(1), {"pool": "spot"})

    paid = charged(held, used)

    assert paid == Footprint(Amount.parse(cpu), Amount.parse(memory), Amount.of(1), {"pool": "spot"})
