"""How far a standby is behind: which of the beats that were written to the primary have reached it."""

from __future__ import annotations

from dataclasses import dataclass

REMEMBERED = 300
"""Beats, the newest ones."""


@dataclass(frozen=True)
class Beats:
    """The numbers of beats with the time before each was written, the oldest first, by one clock."""

    written: tuple[tuple[float, int], ...] = ()

    def noted(self, at: float, number: int) -> Beats:
        """With one more. Where its number is not above all others another history has begun, and those mean nothing."""
        before = self.written if not self.written or self.written[-1][1] < number else ()
        return Beats((*before, (at, number))[-REMEMBERED:])

    def lag(self, seen: int, now: float) -> float | None:
        """Seconds by which somebody is behind at most to whom beat ``seen`` has come; None where that is not known.

        Beats come in the order of all that is written, so that what was there before one is there with it.
        """
        newest = next((at for at, number in reversed(self.written) if number <= seen), None)
        return None if newest is None else now - newest
