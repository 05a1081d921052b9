"""A loop that nothing ends but the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from headgate.cancellation import heed
from headgate.cluster.errors import ApiError, Unreachable
from headgate.store.errors import DatabaseUnavailable

NET_SECONDS = 5.0
"""Between rounds where nothing woke the loop: the net under lost wake-ups."""


async def forever(
    name: str,
    once: Callable[[], Awaitable[datetime | None]],
    alarm: asyncio.Event | None = None,
    *,
    first: Callable[[], Awaitable[object]] | None = None,
    net_seconds: float = NET_SECONDS,
) -> None:
    """Run ``once`` for ever: again when it said that more is due, when the alarm is set, and every ``net_seconds``.

    ``first`` is done once before it, and repeated until it succeeds.
    Failures are logged, each once as long as it lasts, and waited out; they never end the loop.
    """
    log = structlog.get_logger(f"headgate.{name}")
    alarm = alarm or asyncio.Event()
    trouble = ""
    while True:
        pause = net_seconds
        alarm.clear()
        try:
            if first is not None:
                await first()
                first = None
            due = await once()
            trouble = ""
            if due is not None:
                pause = min(net_seconds, max(0.0, (due - datetime.now(due.tzinfo)).total_seconds()))
        except (DatabaseUnavailable, ApiError, Unreachable) as error:
            if str(error) != trouble:
                log.warning("will try again", error=str(error))
            trouble = str(error)
            pause = min(NET_SECONDS, net_seconds)
        except Exception:
            log.exception("will try again")
            pause = min(NET_SECONDS, net_seconds)
        heed()
        try:
            async with asyncio.timeout(pause):
                await alarm.wait()
        except TimeoutError:
            continue
