"""What is asked of every system. Nothing but the standard library: programs of peers ask it of theirs."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

STEPS = 40
"""In a long run."""


class System(Protocol):
    """Starts runs whose steps each call the target once."""

    async def start(self, steps: int) -> Any:
        """Start a run of one step, or of ``STEPS`` in a row. It is kept for good when this returns."""
        ...

    async def ended(self, run: Any) -> None:
        """Return when the run has succeeded."""
        ...


@runtime_checkable
class Cold(System, Protocol):
    """A system that also runs things in processes that it makes for them."""

    async def start_cold(self) -> Any:
        """Start a run of one step that gets a process of its own."""
        ...

    async def ended_cold(self, run: Any) -> None:
        """Return when the run has succeeded."""
        ...


@dataclass
class Questions:
    """Asks them. ``seen`` has the moments at which the target was called."""

    system: System
    seen: list[float]

    async def warm_up(self, count: int) -> None:
        """So many runs that nobody measures."""
        for _ in range(count):
            await self.system.ended(await self.system.start(1))

    async def first_steps(self, count: int) -> list[Sequence[float]]:
        """Milliseconds from asking for a run to its step's call, and to the answer: one run after the other."""
        triggered, answered = [], []
        for _ in range(count):
            self.seen.clear()
            begun = time.perf_counter()
            run = await self.system.start(1)
            answered.append((time.perf_counter() - begun) * 1000)
            await self.system.ended(run)
            triggered.append((self.seen[0] - begun) * 1000)
        return [triggered, answered]

    async def cold_steps(self, count: int) -> list[float]:
        """Milliseconds from asking for a run to its step's call, where it gets a process of its own.

        One more is asked for before, of which nothing is told.
        """
        if not isinstance(self.system, Cold):
            raise TypeError("the system makes no processes for runs")
        triggered = []
        for _ in range(count + 1):
            self.seen.clear()
            begun = time.perf_counter()
            await self.system.ended_cold(await self.system.start_cold())
            triggered.append((self.seen[0] - begun) * 1000)
        return triggered[1:]

    async def steps_in_a_row(self, count: int) -> float:
        """Milliseconds from the call of a step to that of the next one, in the median of so many long runs."""
        times = []
        for _ in range(count):
            self.seen.clear()
            await self.system.ended(await self.system.start(STEPS))
            if len(self.seen) != STEPS:
                raise RuntimeError(f"{STEPS} steps called {len(self.seen)} times")
            times.append((self.seen[-1] - self.seen[0]) / (STEPS - 1) * 1000)
        return statistics.median(times)

    async def start_many(self, total: int, clients: int) -> None:
        """Start so many runs, by so many clients that each wait for the answer."""
        self.seen.clear()

        async def client() -> None:
            for _ in range(total // clients):
                await self.system.start(1)

        await asyncio.gather(*(client() for _ in range(clients)))

    async def calls(self) -> int:
        """How often the target was called since then."""
        return len(self.seen)
