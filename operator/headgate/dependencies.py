"""What Headgate asks and can be away: asked as long as it answers, and otherwise left alone for a while.

Whoever is refused is refused at once, and holds nothing meanwhile. One way for all: Postgres, the API server, an
identity provider, object stores and Redis are each asked within ``DependencyGuard.asking``.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from headgate.domain.dependency_breaker import (
    DependencyBreaker,
    DependencyName,
    Patience,
    answered,
    asked,
    failed,
    given_up,
)

Unanswered = Callable[[Exception], str | None]
"""Tells in words that may be shown and logged what a failure was, or by None that it was an answer."""
_log = structlog.get_logger("headgate.dependencies")


class NotAsked(Exception):  # noqa: N818 - a state of the world, not a mistake
    """It did not answer lately, and was not asked now. The cause of what is raised in its place.

    Its words are those of the last failure: what is shown and logged of that does not change back and forth.
    """


class DependencyGuard:
    """The circuit breaker of one of them, for one event loop."""

    def __init__(
        self, name: DependencyName, *, monotonic: Callable[[], float], patience: Patience | None = None
    ) -> None:
        """``monotonic`` gives seconds."""
        self.name = name
        self.failures = 0
        """How often there was no answer."""
        self.spared = 0
        """How often it was not asked, as it had not answered lately."""
        self._monotonic = monotonic
        self._patience = patience or Patience()
        self._breaker = DependencyBreaker()
        self._why = ""

    @property
    def there(self) -> bool:
        """Whether all is well, as far as is known."""
        return self._breaker.closed

    @property
    def asks(self) -> bool:
        """Whether it would be asked now."""
        return self._breaker.asks(self._monotonic())

    def check(self) -> None:
        """Raises ``NotAsked`` where it is not to be asked now. For who would have to wait before asking."""
        if not self.asks:
            self.spared += 1
            raise NotAsked(self._why)

    @contextmanager
    def asking(self, unanswered: Unanswered) -> Iterator[None]:
        """Around one question. Raises ``NotAsked`` where it is not to be asked now.

        An exception for which ``unanswered`` has words was no answer, every other one is. Being cancelled is neither.
        """
        self.check()
        turn = self._breaker.turn
        self._breaker = asked(self._breaker)
        try:
            yield
        except Exception as error:
            if (why := unanswered(error)) is None:
                self._answered()
            else:
                self._failed(turn, why)
            raise
        except BaseException:
            self._breaker = given_up(self._breaker, turn)
            raise
        self._answered()

    @asynccontextmanager
    async def asking_among(self, places: asyncio.Semaphore, unanswered: Unanswered) -> AsyncIterator[None]:
        """``asking`` for so many at the same time: nobody waits for a place while it is left alone."""
        self.check()
        async with places:
            with self.asking(unanswered):
                yield

    def _answered(self) -> None:
        if not self._breaker.closed:
            _log.info("it answers again", dependency=self.name.value)
        self._breaker = answered(self._breaker)

    def _failed(self, turn: int, why: str) -> None:
        self.failures += 1
        self._why = why
        was_there = self._breaker.closed
        self._breaker = failed(self._breaker, turn, self._patience, self._monotonic())
        if was_there and not self._breaker.closed:
            _log.warning("it does not answer, and is left alone", dependency=self.name.value, why=why)


def unguarded(name: DependencyName) -> DependencyGuard:
    """For a process that asks seldom, and waits for what it asks: it is always asked."""
    return DependencyGuard(name, monotonic=time.monotonic, patience=Patience(failures=sys.maxsize))


class Dependencies(Collector):
    """The guards of a process, and what they tell. Read when somebody asks."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._guards: dict[DependencyName, DependencyGuard] = {}

    def guard(self, name: DependencyName, patience: Patience | None = None) -> DependencyGuard:
        """A new one, which there is once."""
        self._guards[name] = DependencyGuard(name, monotonic=self._monotonic, patience=patience)
        return self._guards[name]

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        up = GaugeMetricFamily(
            "headgate_dependency_up", "Whether it answers, as far as is known.", labels=["dependency"]
        )
        failures = CounterMetricFamily(
            "headgate_dependency_failures_total", "Questions that it did not answer.", labels=["dependency"]
        )
        spared = CounterMetricFamily(
            "headgate_dependency_spared_total",
            "Questions that were refused at once, as it had not answered lately.",
            labels=["dependency"],
        )
        for name, guard in self._guards.items():
            up.add_metric([name.value], float(guard.there))
            failures.add_metric([name.value], guard.failures)
            spared.add_metric([name.value], guard.spared)
        yield from (up, failures, spared)
