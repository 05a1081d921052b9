"""What this replica spent of calls that were lent, until it tells Postgres."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from headgate.store.rate_limits import Counter


@dataclass
class Ledger:
    """One workspace's. A lent call passes when it is in here, and not before.

    A counter that is not open is not spent of: Postgres has to be asked first whether the replica may. One that is
    closed stays so: what Postgres is told of it is final.
    """

    epoch: int = 0
    """Redis' own when the counters were opened."""
    birth: str = ""
    """That of what is there in Redis."""
    _spent: dict[Counter, int] = field(default_factory=dict)
    _ends: dict[Counter, float] = field(default_factory=dict)
    _closed: dict[Counter, int] = field(default_factory=dict)

    def open(self, counter: Counter, ends_at: float) -> None:
        """Postgres has this replica among those that spend. The window ends then, in monotonic seconds."""
        if counter not in self._closed:
            self._spent.setdefault(counter, 0)
            self._ends[counter] = ends_at

    def is_open(self, counter: Counter) -> bool:
        """Whether calls of it may be spent."""
        return counter in self._spent

    def seen(self, birth: str) -> None:
        """Close all where Redis has forgotten what it was given, which this ``birth`` of what it has says."""
        if birth != self.birth:
            self.close()
            self.birth = birth

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to spend, and nothing to tell."""
        return not self._spent and not self._closed

    def spend(self, counter: Counter, calls: int) -> None:
        """Let so many calls of an open counter pass."""
        self._spent[counter] += calls

    def close(self, counters: Collection[Counter] | None = None) -> None:
        """Spend no more of these, or of all."""
        for counter in [counter for counter in self._spent if counters is None or counter in counters]:
            self._closed[counter] = self._spent.pop(counter)
            del self._ends[counter]

    def forget(self, now: float) -> None:
        """Drop windows that are over, of which nothing can be given back any more."""
        for counter in [counter for counter, ends in self._ends.items() if ends <= now]:
            del self._spent[counter], self._ends[counter]

    @property
    def to_settle(self) -> Mapping[Counter, int]:
        """What Postgres has to be told."""
        return dict(self._closed)

    def settled(self, counters: Collection[Counter]) -> None:
        """Postgres was told of these."""
        for counter in counters:
            self._closed.pop(counter, None)
