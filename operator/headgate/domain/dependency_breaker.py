"""The circuit breaker of something that Headgate can do without for a while: whether to ask it now.

Closed, it is asked. After so many failures in a row it is open, and left alone until it has cooled down. Then it is
half open: one question is asked, and its answer decides. Time is in seconds of a clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Patience:
    """When it opens, and how long it stays so."""

    failures: int = 3
    """Failures in a row."""
    cool_down: float = 2.0
    """Seconds until the next try; also until a try is given up of which nothing was heard."""


@dataclass(frozen=True)
class DependencyBreaker:
    """A circuit breaker at one moment."""

    failures: int = 0
    """Failures since the last success."""
    retry_at: float | None = None
    """When the next question may be asked; None while it is closed."""

    @property
    def closed(self) -> bool:
        """Whether all is well."""
        return self.retry_at is None

    def asks(self, now: float) -> bool:
        """Whether to ask now. Say ``asked`` before you do."""
        return self.retry_at is None or now >= self.retry_at


def asked(breaker: DependencyBreaker, patience: Patience, now: float) -> DependencyBreaker:
    """While a question is under way: half open, it is the only one."""
    return breaker if breaker.closed else replace(breaker, retry_at=now + patience.cool_down)


def answered() -> DependencyBreaker:
    """After an answer."""
    return DependencyBreaker()


def failed(breaker: DependencyBreaker, patience: Patience, now: float) -> DependencyBreaker:
    """After a question without an answer."""
    failures = breaker.failures + 1
    if failures < patience.failures:
        return replace(breaker, failures=failures)
    return DependencyBreaker(failures, now + patience.cool_down)
