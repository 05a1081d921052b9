"""Calls of libraries that block, in threads that nothing of an attempt outlives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T], stop: Callable[[], object]) -> T:
    """What the call returns. Where this is cancelled, ``stop`` is called, and the call's end waited for."""
    going = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(going)
    except asyncio.CancelledError:
        stop()
        await asyncio.gather(going, return_exceptions=True)
        raise
