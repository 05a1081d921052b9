"""The circuit breaker of something that Headgate asks, and that may be away: whether to ask it now.

Closed, it is asked. After so many failures in a row it is open, and left alone until it has cooled down. Then it is
half open: one question is asked, and its answer decides. Time is in seconds of a clock that never goes back.

Questions overlap. One that fails counts only if there was neither an answer nor an opening since it was asked: of what
is now it can tell nothing that is not known better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class DependencyName(StrEnum):
    """What Headgate asks, as metrics and logs name it."""

    POSTGRES = "postgres"
    REPLICA = "replica"
    KUBERNETES = "kubernetes"
    IDENTITY_PROVIDER = "identity_provider"
    OBJECT_STORE = "object_store"
    ARCHIVE = "archive"
    REDIS = "redis"


@dataclass(frozen=True)
class Patience:
    """When it opens, and how long it stays so."""

    failures: int = 3
    """Failures in a row."""
    cool_down: float = 2.0
    """Seconds until the next try."""


@dataclass(frozen=True)
class DependencyBreaker:
    """A circuit breaker at one moment."""

    failures: int = 0
    """Failures since the last answer."""
    retry_at: float | None = None
    """When the next question may be asked; None while it is closed."""
    trying: bool = False
    """Whether the one question is under way that is asked half open."""
    turn: int = 0
    """How often there was an answer, or it opened: a question is of the turn in which it is asked."""

    @property
    def closed(self) -> bool:
        """Whether all is well."""
        return self.retry_at is None

    def asks(self, now: float) -> bool:
        """Whether to ask now. Say ``asked`` before you do, and how it ended."""
        return self.retry_at is None or (not self.trying and now >= self.retry_at)


def asked(breaker: DependencyBreaker) -> DependencyBreaker:
    """While a question is under way: half open, it is the only one. It is of this breaker's turn."""
    return breaker if breaker.closed else replace(breaker, trying=True)


def answered(breaker: DependencyBreaker) -> DependencyBreaker:
    """After an answer, whenever its question was asked."""
    return DependencyBreaker(turn=breaker.turn + 1)


def failed(breaker: DependencyBreaker, turn: int, patience: Patience, now: float) -> DependencyBreaker:
    """After a question of that turn without an answer."""
    if turn != breaker.turn:
        return breaker
    failures = breaker.failures + 1
    if breaker.closed and failures < patience.failures:
        return replace(breaker, failures=failures)
    return DependencyBreaker(failures, now + patience.cool_down, turn=turn + 1)


def given_up(breaker: DependencyBreaker, turn: int) -> DependencyBreaker:
    """After whoever asked a question of that turn no longer wants to know: another one may ask."""
    return replace(breaker, trying=False) if turn == breaker.turn else breaker
