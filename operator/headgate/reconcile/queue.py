"""A keyed work queue: a key is worked on by one worker at a time, and once more if it changed meanwhile."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from headgate.cluster.errors import ApiError, Unreachable
from headgate.objects.object_store import StoreUnavailable
from headgate.store.errors import DatabaseUnavailable

K = TypeVar("K")

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 60.0
LONGEST_RECONCILIATION_SECONDS = 300.0


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling from 0.1 s up to a minute."""
    return float(min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(failures - 1, 20)))


@dataclass(frozen=True)
class QueueMetrics:
    """What a queue reports."""

    depth: Gauge
    seconds: Histogram
    failures: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry) -> QueueMetrics:
        """Declare the metrics."""
        return cls(
            Gauge("headgate_reconcile_queue_depth", "Keys that wait to be reconciled.", registry=registry),
            Histogram("headgate_reconcile_seconds", "Duration of one reconciliation.", ["kind"], registry=registry),
            Counter("headgate_reconcile_failures_total", "Reconciliations that failed.", ["kind"], registry=registry),
        )


@dataclass
class WorkQueue(Generic[K]):
    """Keys to reconcile, each at most once in the queue.

    ``add`` never blocks and may be called at any time on the event loop. A reconciliation that raises is repeated with
    growing delays; success resets them.
    """

    reconcile: Callable[[K], Awaitable[None]]
    kind: Callable[[K], str]
    metrics: QueueMetrics
    monotonic: Callable[[], float]
    _ready: asyncio.Queue[K] = field(default_factory=asyncio.Queue)
    _queued: set[K] = field(default_factory=set)
    _active: dict[K, float] = field(default_factory=dict)
    _again: set[K] = field(default_factory=set)
    _failures: dict[K, int] = field(default_factory=dict)
    _later: list[tuple[float, int, K]] = field(default_factory=list)
    _due: dict[K, float] = field(default_factory=dict)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _alarm: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, key: K) -> None:
        """Reconcile ``key`` soon; again afterwards if it is being reconciled right now."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)
            self.metrics.depth.set(len(self._queued))

    def add_after(self, key: K, seconds: float) -> None:
        """Reconcile ``key`` in so many seconds; of several such wishes for a key the earliest counts."""
        when = self.monotonic() + max(seconds, 0)
        if when < self._due.get(key, float("inf")):
            self._due[key] = when
            heapq.heappush(self._later, (when, next(self._order), key))
            self._alarm.set()

    def overdue(self) -> tuple[K, ...]:
        """Keys whose reconciliation has been under way for longer than any should be."""
        started_before = self.monotonic() - LONGEST_RECONCILIATION_SECONDS
        return tuple(key for key, started in self._active.items() if started < started_before)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or under way (what is due later does not count)."""
        return not self._queued and not self._active

    async def run(self, workers: int) -> None:
        """Work for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wake())
            for _ in range(workers):
                group.create_task(self._work())

    async def _wake(self) -> None:
        while True:
            now = self.monotonic()
            while self._later and self._later[0][0] <= now:
                when, _, key = heapq.heappop(self._later)
                if self._due.get(key) == when:
                    del self._due[key]
                    self.add(key)
            self._alarm.clear()
            pause = self._later[0][0] - now if self._later else None
            try:
                async with asyncio.timeout(pause):
                    await self._alarm.wait()
            except TimeoutError:
                continue

    async def _work(self) -> None:
        log = structlog.get_logger("headgate.reconcile")
        while True:
            key = await self._ready.get()
            self._queued.discard(key)
            self._active[key] = self.monotonic()
            self.metrics.depth.set(len(self._queued))
            try:
                with self.metrics.seconds.labels(self.kind(key)).time():
                    await self.reconcile(key)
            except (ApiError, Unreachable, DatabaseUnavailable, StoreUnavailable) as error:
                self._failed(key)
                log.warning("reconciliation failed", key=str(key), error=str(error), failures=self._failures[key])
            except Exception as error:
                self._failed(key)
                log.exception("reconciliation failed", key=str(key), error=type(error).__name__)
            else:
                self._failures.pop(key, None)
            finally:
                self._active.pop(key, None)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    def _failed(self, key: K) -> None:
        self._failures[key] = self._failures.get(key, 0) + 1
        self.metrics.failures.labels(self.kind(key)).inc()
        self.add_after(key, backoff(self._failures[key]))
