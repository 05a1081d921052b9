"""What a workspace uses of its limits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from headgate.api.usage import Use
from headgate.domain.amounts import Amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.api.quota import Limits

MEGABYTE = 10**6


@dataclass(frozen=True)
class RunUsage:
    """What runs use, and calls of the API."""

    running: int = 0
    """Runs under way that have a place of their own."""
    pending: int = 0
    """Runs that wait to start."""
    executions_today: int = 0
    """Runs that started since midnight UTC."""
    storage_bytes: int = 0
    """What is kept of them."""
    borrowed: int = 0
    """Runs under way in the places of others, which called them."""
    api_calls: int = 0
    """Calls of the API since the hour began."""

    @property
    def active(self) -> int:
        """Runs that have not ended."""
        return self.running + self.borrowed + self.pending

    @property
    def storage_mb(self) -> int:
        """Megabytes, rounded up: nothing is kept for nothing."""
        return -(-self.storage_bytes // MEGABYTE)

    def __add__(self, other: RunUsage) -> RunUsage:
        """Both together."""
        return RunUsage(
            self.running + other.running,
            self.pending + other.pending,
            self.executions_today + other.executions_today,
            self.storage_bytes + other.storage_bytes,
            self.borrowed + other.borrowed,
            self.api_calls + other.api_calls,
        )


def of_runs(limits: Limits, runs: RunUsage) -> tuple[Use, ...]:
    """What is used of the limits that Postgres counts."""
    counted = {
        "maxConcurrentRuns": (runs.running, limits.max_concurrent_runs),
        "maxExecutionsPerDay": (runs.executions_today, limits.max_executions_per_day),
        "maxStorageMB": (runs.storage_mb, limits.max_storage_mb),
        "maxApiCallsPerHour": (runs.api_calls, limits.max_api_calls_per_hour),
    }
    return tuple(Use(name=name, used=str(used), limit=str(limit)) for name, (used, limit) in counted.items())


def of_compute(totals: Mapping[str, Amount], used: Iterable[Mapping[str, Amount]]) -> tuple[Use, ...]:
    """What namespaces use, taken together, of the limits that the API server counts."""
    uses = _together(used)
    return tuple(
        Use(name=name, used=uses.get(name, Amount(0)).canonical(), limit=limit.canonical())
        for name, limit in sorted(totals.items())
    )


def beyond(uses: Iterable[Use]) -> tuple[Use, ...]:
    """Those of which more is used than allowed."""
    return tuple(use for use in uses if use.limit is not None and Amount.parse(use.used) > Amount.parse(use.limit))


def _together(parts: Iterable[Mapping[str, Amount]]) -> dict[str, Amount]:
    def add(total: dict[str, Amount], part: Mapping[str, Amount]) -> dict[str, Amount]:
        return total | {name: total[name] + amount if name in total else amount for name, amount in part.items()}

    return reduce(add, parts, {})
