"""Bounds what those cost who send credentials that are not good."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from headgate.gateway.memory import Memory

_WINDOW_SECONDS = 60.0
_FAMILIAR_SECONDS = 3600.0
_ADDRESSES = 4096


class Strangers:
    """Counts credentials that were not good, by the address that they came from, in this replica's memory.

    A credential that was good within the last hour is always looked at: others behind the same address must not be able
    to lock its owner out.
    """

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        """``limit`` is for a minute; ``monotonic`` gives seconds."""
        self._limit = limit
        self._monotonic = monotonic
        self._familiar = Memory[bool](_FAMILIAR_SECONDS, monotonic)
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait(self, address: str, fingerprint: bytes) -> float:
        """For how many seconds a credential from there is not looked at; 0 where it is."""
        ends, count = self._failures.get(address, (0.0, 0))
        left = ends - self._monotonic()
        return left if left > 0 and count >= self._limit and not self._familiar.recall(fingerprint) else 0.0

    def failed(self, address: str) -> None:
        """A credential from there was not good."""
        now = self._monotonic()
        ends, count = self._failures.pop(address, (0.0, 0))
        self._failures[address] = (ends, count + 1) if ends > now else (now + _WINDOW_SECONDS, 1)
        while len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)

    def passed(self, fingerprint: bytes) -> None:
        """A credential was good."""
        self._familiar.keep(fingerprint, answer=True, asked=self._familiar.asking())
