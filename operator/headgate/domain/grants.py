"""How limits move from one holder to another without ever adding up to more than there is.

A limit that is lowered below what is used ends nothing: the holder goes on using more than its limit until it lets go.
What it still uses cannot be given to another meanwhile, so a limit is raised only as far as the others' use allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, TypeVar

from headgate.domain.amounts import Amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

K = TypeVar("K")
NOTHING = Amount(0)


@dataclass(frozen=True)
class Holding:
    """What one holder has of a resource."""

    wanted: Amount
    """The limit that it is to have."""
    hard: Amount | None = NOTHING
    """The limit that is in force; None where there is none, so that the holder may use any amount."""
    used: Amount = NOTHING
    """What it uses, never less than it really does."""

    @property
    def lowered(self) -> Amount:
        """The limit once it has come down to what is wanted, and has not gone up."""
        return self.wanted if self.hard is None or self.hard >= self.wanted else _like(self.hard, self.wanted)

    @property
    def committed(self) -> Amount:
        """What it may use at most with the lowered limit."""
        return max(self.lowered, self.used)


def granted(total: Amount, holdings: Mapping[K, Holding]) -> dict[K, Amount]:
    """The limit that each holder may have now, given that all limits have come down to `Holding.lowered`.

    Never more than is wanted. Together with what is used beyond the limits they exceed ``total`` only where what is
    committed does already. What is spare goes to the holders in their order. Where nobody uses more than is wanted, and
    what is wanted adds up to ``total`` at most, each gets what it wants.
    """
    spare = total.remaining(_sum(holding.committed for holding in holdings.values()))
    limits: dict[K, Amount] = {}
    for key, holding in holdings.items():
        base = min(holding.wanted, holding.committed)
        more = min(holding.wanted.remaining(base), spare)
        spare = spare.remaining(more)
        limits[key] = _like(base + more, holding.wanted)
    return limits


def _sum(amounts: Iterable[Amount]) -> Amount:
    return reduce(Amount.__add__, amounts, NOTHING)


def _like(amount: Amount, other: Amount) -> Amount:
    """The amount in the spelling of the other, so that the same limit is always written the same way."""
    return Amount(amount.nanos, other.form)
