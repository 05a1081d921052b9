"""Ending tasks that call what swallows cancellations."""

from __future__ import annotations

import asyncio


def heed() -> None:
    """Raises ``CancelledError`` where this task was cancelled and went on all the same.

    ``asyncio.wait_for`` goes on before Python 3.12 where what it waits for ends at the same moment, and libraries call
    it. To be called by loops that nothing else ends, outside of any timeout.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
