"""What days of runs amount to: rates, percentiles, a trend, and a score of health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

BUCKETS_PER_DOUBLING = 8
"""Bucket ``b`` holds durations from 2^(b/8) milliseconds on, to 2^((b+1)/8)."""
PERCENT_OFF = 4.5
"""How far a percentile is off at most: a bucket is told by its middle, 2^(1/16) from either end."""
_SUCCESS_POINTS, _TREND_POINTS, _QUEUE_POINTS = 80, 10, 10
_LONG_QUEUE_MS = 300_000


def merged(days: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Histograms taken together."""
    total: dict[int, int] = {}
    for day in days:
        for bucket, runs in day.items():
            total[bucket] = total.get(bucket, 0) + runs
    return total


def percentile(buckets: Mapping[int, int], percent: int) -> int | None:
    """Milliseconds within which so many percent of the runs ended, as far as buckets tell; None without any."""
    total = sum(buckets.values())
    if total <= 0:
        return None
    rank = max(1, -(-total * percent // 100))
    for bucket in sorted(buckets):
        rank -= buckets[bucket]
        if rank <= 0:
            return round(2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING))
    return None


@dataclass(frozen=True)
class Tally:
    """Runs that ended."""

    total: int = 0
    successful: int = 0
    failed: int = 0
    cancelled: int = 0
    duration_ms: int = 0
    queued: int = 0
    queue_ms: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def success_rate(self) -> float | None:
        """Of the runs that succeeded or failed, the share that succeeded; None where there were none.

        A cancelled run says nothing about health.
        """
        judged = self.successful + self.failed
        return self.successful / judged if judged else None

    @property
    def average_ms(self) -> int | None:
        """Of all that ended."""
        return self.duration_ms // self.total if self.total > 0 else None

    @property
    def average_queue_ms(self) -> int | None:
        """From when a run was asked for to its start, of those that started."""
        return self.queue_ms // self.queued if self.queued > 0 else None


def trend(days: Iterable[Tally]) -> float | None:
    """By how much the success rate of the later half of the days is above that of the earlier one, from -1 to 1.

    None where either half has no run that succeeded or failed.
    """
    listed = list(days)
    middle = len(listed) // 2
    early, late = (sum(half, Tally()).success_rate for half in (listed[:middle], listed[middle:]))
    return None if early is None or late is None else late - early


def health(tally: Tally, direction: float | None) -> int | None:
    """How well it goes, from 0 to 100; None where no run succeeded or failed.

    80 points times the success rate, 10 for a success rate that does not fall (each percentage point that it fell by
    takes one off), and 10 for runs that start at once (none where they wait for 5 minutes on average).
    """
    rate = tally.success_rate
    if rate is None:
        return None
    fallen = min(1.0, max(0.0, -(direction or 0.0)) * 100 / _TREND_POINTS)
    waited = min(1.0, (tally.average_queue_ms or 0) / _LONG_QUEUE_MS)
    return round(_SUCCESS_POINTS * rate + _TREND_POINTS * (1 - fallen) + _QUEUE_POINTS * (1 - waited))
