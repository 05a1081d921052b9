"""What was found out lately, so that it need not be asked again at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")
_REMEMBERED = 4096


class Memory(Generic[V]):
    """Remembers answers for a time that is counted from when the question was asked, so that it is never exceeded."""

    def __init__(self, seconds: float, monotonic: Callable[[], float], *, size: int = _REMEMBERED) -> None:
        """``monotonic`` gives seconds; beyond ``size`` answers the oldest are forgotten."""
        self._seconds = seconds
        self._monotonic = monotonic
        self._size = size
        self._known: OrderedDict[bytes, tuple[float, V]] = OrderedDict()

    def asking(self) -> float:
        """The time at which a question is asked."""
        return self._monotonic()

    def recall(self, key: bytes) -> V | None:
        """The answer, where it still counts."""
        known = self._known.get(key)
        return known[1] if known is not None and self._monotonic() < known[0] else None

    def keep(self, key: bytes, answer: V, asked: float) -> None:
        """Remember the answer to what was asked at that time."""
        self._known[key] = (asked + self._seconds, answer)
        self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)
