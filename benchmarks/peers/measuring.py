"""The figures of one system, and those of all of them beside each other."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from tests.support.waiting import eventually

CLIENTS = 16
FIRST_STEPS, LONG_RUNS, COLD_RUNS, WARM_UPS = 200, 5, 5, 40
_LONGEST = 900


class Asked(Protocol):
    """``Questions``, here or in a program of their own."""

    async def warm_up(self, count: int) -> None: ...

    async def first_steps(self, count: int) -> list[Sequence[float]]: ...

    async def cold_steps(self, count: int) -> list[float]: ...

    async def steps_in_a_row(self, count: int) -> float: ...

    async def start_many(self, total: int, clients: int) -> None: ...

    async def calls(self) -> int: ...


@dataclass(frozen=True)
class Running:
    """A system that runs, and can be asked."""

    asked: Asked
    open_runs: Callable[[], Awaitable[int]]
    """How many runs have not ended, as they are recorded."""
    processor_seconds: Callable[[], Mapping[str, float]]
    """What its parts have used so far, the client's too."""
    cold: str | Callable[[], AbstractAsyncContextManager[object]] = "-"
    """What is known of runs that get a process of their own; or what has to run besides for them to be asked for."""


@dataclass(frozen=True)
class Measured:
    """The figures of a system. Times are milliseconds."""

    first_steps: Sequence[float]
    starts: Sequence[float]
    step: float
    runs_a_second: float
    processor: Mapping[str, float]
    """Of one of these runs, by part."""
    cold: str
    """From trigger to first step where the run gets a process of its own."""

    def rows(self) -> dict[str, str]:
        """The figures for people, by what they are."""
        parts = ", ".join(f"{part} {used:.1f}" for part, used in self.processor.items())
        return {
            "trigger to first step, p50 (ms)": f"{statistics.median(self.first_steps):.1f}",
            "trigger to first step, p99 (ms)": f"{statistics.quantiles(self.first_steps, n=100)[98]:.1f}",
            f"the same in a process of its own, p50 of {COLD_RUNS} (ms)": self.cold,
            "start of a run, p50 (ms)": f"{statistics.median(self.starts):.1f}",
            "one of 40 steps in a row (ms)": f"{self.step:.1f}",
            f"one-step runs, {CLIENTS} clients (/s)": f"{self.runs_a_second:.0f}",
            "processor time of such a run (ms)": f"{sum(self.processor.values()):.1f} ({parts})",
        }


async def measured(running: Running, runs: int) -> Measured:
    """Ask a system everything. ``runs`` are those of which the rate is taken."""
    asked = running.asked
    await asked.warm_up(WARM_UPS)
    first_steps, starts = await asked.first_steps(FIRST_STEPS)
    step = await asked.steps_in_a_row(LONG_RUNS)
    await _rate(running, max(runs // 10, CLIENTS))
    rate, processor = await _rate(running, runs)
    if isinstance(running.cold, str):
        return Measured(first_steps, starts, step, rate, processor, running.cold)
    async with running.cold():
        cold = f"{statistics.median(await asked.cold_steps(COLD_RUNS)):.0f}"
    return Measured(first_steps, starts, step, rate, processor, cold)


async def _rate(running: Running, runs: int) -> tuple[float, dict[str, float]]:
    """Runs a second, from the first request to the last recorded end, and milliseconds of processors for each."""
    count = runs // CLIENTS * CLIENTS

    async def over() -> bool:
        return await running.open_runs() == 0

    await eventually(over, within=_LONGEST, what="the end of the runs before")
    before, begun = running.processor_seconds(), time.perf_counter()
    await running.asked.start_many(count, CLIENTS)
    await eventually(over, within=_LONGEST, every=0.02, what="the end of all runs")
    took, after = time.perf_counter() - begun, running.processor_seconds()
    # At least once is what they all promise of a step.
    if (calls := await running.asked.calls()) < count:
        raise RuntimeError(f"{count} runs called {calls} times")
    return count / took, {part: (used - before[part]) / count * 1000 for part, used in after.items()}


def own_seconds() -> float:
    """Processor time of this process."""
    return sum(os.times()[:2])


def table(found: Mapping[str, Measured]) -> str:
    """The figures beside each other, in Markdown."""
    names = list(found)
    rows = {name: measured.rows() for name, measured in found.items()}
    lines = [f"| figure | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [
        f"| {what} | {' | '.join(rows[name][what] for name in names)} |" for what in next(iter(rows.values()), {})
    ]
    return "\n".join(lines)
