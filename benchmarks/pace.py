"""How fast the machine is just then: one that shares its processors is slower in one minute than in the next."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

_ROUNDS = 60_000


@dataclass
class Pace:
    """Looks taken between what is measured, while nothing else goes on: milliseconds of a fixed piece of Python."""

    looks: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Take one; it lasts a few milliseconds."""
        begun = time.perf_counter()
        sum(number * number for number in range(_ROUNDS))
        self.looks.append((time.perf_counter() - begun) * 1000)

    def line(self, what: str) -> str:
        """What the looks gave, for people."""
        middle = statistics.median(self.looks)
        return f"a fixed loop beside {what}: {middle:.2f} ms, from {min(self.looks):.2f} to {max(self.looks):.2f}"
