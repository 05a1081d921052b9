"""Bounds what those cost who send credentials that are not good."""

from __future__ import annotations

from collections.abc import Callable

from headgate.gateway.memory import Memory
from headgate.gateway.minute_counts import MinuteCounts

_FAMILIAR_SECONDS = 3600.0


class Strangers:
    """Counts credentials that were not good, by the address that they came from, in this replica's memory.

    A credential that was good within the last hour is always looked at: others behind the same address must not be able
    to lock its owner out.
    """

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        """``limit`` is for a minute; ``monotonic`` gives seconds."""
        self._familiar = Memory[bool](_FAMILIAR_SECONDS, monotonic)
        self._failures = MinuteCounts(limit, monotonic)

    def wait(self, address: str, fingerprint: bytes) -> float:
        """For how many seconds a credential from there is not looked at; 0 where it is."""
        seconds = self._failures.wait(address)
        return 0.0 if seconds > 0 and self._familiar.recall(fingerprint) else seconds

    def failed(self, address: str) -> None:
        """A credential from there was not good."""
        self._failures.add(address)

    def passed(self, fingerprint: bytes) -> None:
        """A credential was good."""
        self._familiar.keep(fingerprint, answer=True, asked=self._familiar.asking())
