"""How fast what many share is handed on: so many bytes a second of each workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID


class Pace:
    """Lets bytes through at a rate, those of each workspace at one of its own. Who reads slower is held by nothing."""

    def __init__(
        self,
        bytes_per_second: int,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._monotonic = monotonic
        self._sleep = sleep
        self._free: dict[UUID, float] = {}

    async def let_through(self, workspace_id: UUID, size: int) -> None:
        """Return when what was let through before has had its time."""
        now = self._monotonic()
        self._free = {workspace: at for workspace, at in self._free.items() if at > now}
        begin = self._free.get(workspace_id, now)
        self._free[workspace_id] = begin + size / self._rate
        if begin > now:
            await self._sleep(begin - now)
