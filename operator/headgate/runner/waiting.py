"""Waiting for the end of a process that is our child."""

from __future__ import annotations

import asyncio
import os
from typing import Protocol


class Child(Protocol):
    """A process that nobody else waits for."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def wait(self) -> int:
        """Its exit code when it has ended."""
        ...


async def ended(child: Child) -> int:
    """The child's exit code, as ``wait`` gives it, when it has ended.

    No thread waits for it, where the kernel tells of the end of processes: it takes longer to wake up than a short
    script does.
    """
    try:
        descriptor = os.pidfd_open(child.pid)
    except OSError:
        return await asyncio.to_thread(child.wait)
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    try:
        loop.add_reader(descriptor, told.set)
        await told.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return child.wait()
