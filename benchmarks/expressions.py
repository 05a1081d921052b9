"""What it costs to evaluate expressions in a child process.

    python -m benchmarks.expressions

The goals are what the design note `docs/design/0004-cel-in-a-child.md` relies on: a step of 3.5 ms has room for its
expressions, and a child that was lost is back before anybody notices.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.report import Figure, show
from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.engine.expressions.protocol import Limits
from headgate.engine.expressions.worker import Worker

EXPRESSION = "nodes.extract.output.rows > inputs.limit"
SMALL: dict[str, Any] = {
    "inputs": {"limit": 3},
    "nodes": {"extract": {"output": {"rows": 5}, "phase": "Succeeded"}},
    "run": {"id": "1"},
}
LARGE = {**SMALL, "inputs": {"limit": 3, "text": "x" * 60_000}}


async def main() -> list[Figure]:
    """Start, evaluate, weigh."""
    starts = [await started() for _ in range(10)]
    evaluator = CelEvaluator(children=1)
    await evaluator.evaluate(EXPRESSION, SMALL)
    one = await median(1000, lambda: evaluator.evaluate(EXPRESSION, SMALL))
    large = await median(300, lambda: evaluator.evaluate(EXPRESSION, LARGE))
    ten = await median(300, lambda: evaluator.evaluate_many([EXPRESSION] * 10, SMALL))
    worker = await Worker.start(Limits())
    resident, private = memory_of(worker.pid)
    await worker.stop()
    await evaluator.aclose()
    return [
        Figure("start of a child, p50 of 10", statistics.median(starts) * 1000, "ms", 250, "lower"),
        Figure("one expression, warm, p50 of 1000", one * 1000, "ms", 0.5, "lower"),
        Figure("one expression over 60 KB of variables, warm, p50 of 300", large * 1000, "ms", 2, "lower"),
        Figure("ten expressions in one request, warm, p50 of 300", ten * 1000, "ms", 3.5, "lower"),
        Figure("memory of a child, of its own", private, "MB", 16, "lower"),
        Figure("memory of a child, with what it shares", resident, "MB", 48, "lower"),
    ]


async def started() -> float:
    """Seconds from the call to a child that is ready."""
    began = time.perf_counter()
    worker = await Worker.start(Limits())
    took = time.perf_counter() - began
    await worker.stop()
    return took


async def median(count: int, work: Callable[[], Awaitable[object]]) -> float:
    """The median duration in seconds of ``count`` repetitions, one after the other."""
    durations = []
    for _ in range(count):
        began = time.perf_counter()
        await work()
        durations.append(time.perf_counter() - began)
    return statistics.median(durations)


def memory_of(pid: int) -> tuple[float, float]:
    """Resident memory of a process in MB: all of it, and what is not backed by files."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS:", "RssAnon:"))}
    return values["VmRSS"] / 1024, values["RssAnon"] / 1024


if __name__ == "__main__":
    show(asyncio.run(main()), "python -m benchmarks.expressions")
