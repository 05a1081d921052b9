"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 120.0
"""Longer than an operator is away that ends because its machine was busy, is started again, and fills its caches."""


async def eventually(
    question: Callable[[], Awaitable[T | None]],
    *,
    within: float = PATIENCE_SECONDS,
    every: float = 0.1,
    what: str = "the condition",
) -> T:
    """The first answer that is true. Raises ``AssertionError`` when there is none within so many seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = await question()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what} did not come true within {within:g} s; the last answer was {answer!r}")
        await asyncio.sleep(every)


def until(
    question: Callable[[], T | None],
    *,
    within: float = PATIENCE_SECONDS,
    every: float = 0.1,
    what: str = "the condition",
) -> T:
    """``eventually`` for tests that do nothing beside."""
    deadline = time.monotonic() + within
    while not (answer := question()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what} did not come true within {within:g} s; the last answer was {answer!r}")
        time.sleep(every)
    return answer
