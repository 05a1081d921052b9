"""What is the same for all workspaces: learnt at the start, and looked at again from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from headgate.desired.context import ClusterFacts

LOOK_AGAIN_SECONDS = 60.0


class Facts:
    """Keeps the facts about the cluster, and tells when they changed."""

    def __init__(self, learn: Callable[[], Awaitable[ClusterFacts]], *, changed: Callable[[], None]) -> None:
        """``learn`` asks the cluster; it never fails, but gives what is known."""
        self._learn = learn
        self._changed = changed
        self._known: ClusterFacts | None = None

    def get(self) -> ClusterFacts:
        """The facts; they must have been learnt."""
        if self._known is None:
            raise LookupError("the facts about the cluster were not learnt yet")
        return self._known

    async def learn(self) -> None:
        """Ask the cluster once."""
        before, self._known = self._known, await self._learn()
        if before not in (None, self._known):
            self._changed()

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            await self.learn()
