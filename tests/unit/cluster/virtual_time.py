"""An event loop whose clock jumps to the next deadline when nothing else is left to do: tests of time never sleep.

Where there are networks and processes, time goes on as it does everywhere, and jumps when a test says so.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


class _JumpingSelector(selectors.SelectSelector):
    """Where a real one would block for so many seconds, has the clock moved by as many."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise AssertionError("everything waits, and nothing will happen any more")
        if not events and timeout:
            self._jump(timeout)
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For code without network and threads."""

    def __init__(self) -> None:
        self._now = 1_000.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        return self._now

    def _jump(self, seconds: float) -> None:
        self._now += seconds


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an asynchronous test on a clock of its own; it reads that clock with ``now``."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """Seconds on the running loop's clock."""
    return asyncio.get_running_loop().time()


def later(seconds: float) -> None:
    """Have so many seconds pass at once for whoever waits in the running loop, if it is one of asyncio's own."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]


async def settle() -> None:
    """Let everything go on that need not wait for time to pass."""
    for _ in range(50):
        await asyncio.sleep(0)
