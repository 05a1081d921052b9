"""Counts in minutes, in this replica's memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_WINDOW_SECONDS = 60.0
_NAMES = 4096


class MinuteCounts:
    """Counts by name, for each in a minute that begins with what is counted first. The names counted last are kept."""

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        """``limit`` is for a minute; ``monotonic`` gives seconds."""
        self._limit = limit
        self._monotonic = monotonic
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait(self, name: str) -> float:
        """For how many seconds there is no room for one more; 0 where there is."""
        ends, count = self._counts.get(name, (0.0, 0))
        return max(0.0, ends - self._monotonic()) if count >= self._limit else 0.0

    def add(self, name: str) -> None:
        """Count one more."""
        now = self._monotonic()
        ends, count = self._counts.pop(name, (0.0, 0))
        self._counts[name] = (ends, count + 1) if ends > now else (now + _WINDOW_SECONDS, 1)
        while len(self._counts) > _NAMES:
            self._counts.popitem(last=False)
