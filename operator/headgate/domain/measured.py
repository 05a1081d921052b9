"""What pods were measured to use, as ``metrics.k8s.io`` tells it, and the mean of it over time. Pure.

Whatever cannot be right counts as not told: then an attempt costs what it requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.domain.amounts import Amount

LARGEST_CPU, LARGEST_MEMORY = Amount.of(10_000), Amount.of(2**50)
"""More than one pod can use."""
LONGEST_WINDOW = timedelta(minutes=10)
EARLY = timedelta(minutes=1)
"""By how much a clock of the cluster may be ahead."""
LONGEST_GAP = timedelta(minutes=2)
"""How long before it a sample may speak for. Of a longer silence nothing is known."""
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Measured:
    """What a pod used in the mean of a time."""

    cpu: Amount
    memory: Amount


@dataclass(frozen=True)
class Sample:
    """What a pod used in a window that ended then."""

    at: datetime
    window: timedelta
    used: Measured


def sample_of(told: Mapping[str, Any], now: datetime) -> Sample | None:
    """The sample of a PodMetrics; None where it is not one that can be right."""
    try:
        at = datetime.fromisoformat(told["timestamp"])
        window = _length(told["window"])
        usages = [container["usage"] for container in told["containers"]]
        cpu = [Amount.parse(usage["cpu"]) for usage in usages]
        memory = [Amount.parse(usage["memory"]) for usage in usages]
    except (KeyError, TypeError, ValueError):
        return None
    used = Measured(sum(cpu, Amount(0)), sum(memory, Amount(0)))
    likely = all(Amount(0) <= amount for amount in (*cpu, *memory))
    if not (usages and likely and used.cpu <= LARGEST_CPU and used.memory <= LARGEST_MEMORY):
        return None
    if at.tzinfo is None or at > now + EARLY or not timedelta(0) < window <= LONGEST_WINDOW:
        return None
    return Sample(at.astimezone(UTC), window, used)


@dataclass(frozen=True)
class Use:
    """What was told of a pod so far."""

    since: datetime
    """Of what is told of before, its container began it."""
    microseconds: int = 0
    cpu: int = 0
    """Billionths, times microseconds."""
    memory: int = 0

    def told(self, sample: Sample) -> Use:
        """With one more sample, which stands for the time since the last one. An older one changes nothing."""
        began = max(self.since, sample.at - (LONGEST_GAP if self.microseconds else sample.window))
        length = (sample.at - began) // _MICROSECOND
        if length <= 0:
            return self
        return Use(
            sample.at,
            self.microseconds + length,
            self.cpu + sample.used.cpu.nanos * length,
            self.memory + sample.used.memory.nanos * length,
        )

    def mean(self) -> Measured | None:
        """The mean over the time of which something is known, rounded to a billionth; None where nothing is."""
        if not self.microseconds:
            return None
        cpu, memory = ((2 * total + self.microseconds) // (2 * self.microseconds) for total in (self.cpu, self.memory))
        return Measured(Amount(cpu), Amount(memory))


def _length(text: str) -> timedelta:
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("not a length of time as Go writes it")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
