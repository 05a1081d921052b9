"""The circuit breaker of a workspace: what the end of a run means for it.

Closed, it counts failures in a sliding window; at the threshold it opens, and new runs wait. When it has cooled down
it is half open: a few runs are tried, which carry the number of the episode. When all of them succeed it closes, and
when one fails it opens again. Runs that started before it opened last say nothing about whether things are better now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from headgate.api.circuit_breaker import BreakerState


@dataclass(frozen=True)
class BreakerSettings:
    """When it opens, and how it closes."""

    failure_threshold: int = 50
    window: timedelta = timedelta(minutes=5)
    cool_down: timedelta = timedelta(minutes=5)
    half_open_runs: int = 3


@dataclass(frozen=True)
class Breaker:
    """A circuit breaker at one moment."""

    state: BreakerState = BreakerState.CLOSED
    failures: tuple[datetime, ...] = ()
    """Times of failures that may still be within the window, oldest first."""
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    """When runs are tried again; None unless it is open."""
    episode: int = 0
    """How often it was half open."""
    probes: int = 0
    """Runs that are being tried."""
    passed: int = 0
    """Runs that were tried in this episode and succeeded."""

    def recent(self, window: timedelta, now: datetime) -> tuple[datetime, ...]:
        """The failures that count."""
        return tuple(failure for failure in self.failures if failure > now - window)


def failed(
    breaker: Breaker, settings: BreakerSettings, now: datetime, *, since: datetime, probe: int | None
) -> Breaker:
    """After a run failed that had started at ``since``, and was tried in the episode ``probe`` if not None."""
    if breaker.state is BreakerState.HALF_OPEN and probe == breaker.episode:
        return _opened(breaker, settings, now)
    if breaker.state is not BreakerState.CLOSED or (breaker.opened_at is not None and since <= breaker.opened_at):
        return breaker
    failures = (*breaker.recent(settings.window, now), now)
    if len(failures) >= settings.failure_threshold:
        return _opened(breaker, settings, now)
    return replace(breaker, failures=failures)


def succeeded(breaker: Breaker, settings: BreakerSettings, *, probe: int | None) -> Breaker:
    """After a run succeeded."""
    if breaker.state is not BreakerState.HALF_OPEN or probe != breaker.episode:
        return breaker
    passed = breaker.passed + 1
    if passed >= settings.half_open_runs:
        return replace(breaker, state=BreakerState.CLOSED, failures=(), probes=0, passed=0)
    return replace(breaker, probes=max(0, breaker.probes - 1), passed=passed)


def withdrawn(breaker: Breaker, *, probe: int | None) -> Breaker:
    """After a run was cancelled: one that was being tried gives its place to another."""
    if breaker.state is not BreakerState.HALF_OPEN or probe != breaker.episode:
        return breaker
    return replace(breaker, probes=max(0, breaker.probes - 1))


def reset(breaker: Breaker) -> Breaker:
    """After a person said that all is well: it is closed, whatever it was."""
    return replace(breaker, state=BreakerState.CLOSED, failures=(), retry_at=None, probes=0, passed=0)


def _opened(breaker: Breaker, settings: BreakerSettings, now: datetime) -> Breaker:
    return replace(
        breaker,
        state=BreakerState.OPEN,
        failures=(),
        opened_at=now,
        retry_at=now + settings.cool_down,
        probes=0,
        passed=0,
    )
