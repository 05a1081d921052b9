"""What is the same for all workspaces: learnt at the start, and looked at again from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from headgate.cluster.errors import ApiError, Unreachable
from headgate.desired.context import ClusterFacts

LOOK_AGAIN_SECONDS = 60.0
RETRY_SECONDS = 2.0


class Facts:
    """Keeps the facts about the cluster, and tells when they changed."""

    def __init__(
        self,
        learn: Callable[[], Awaitable[ClusterFacts]],
        *,
        changed: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``learn`` asks the cluster; it may raise ``ApiError`` and ``Unreachable``."""
        self._learn = learn
        self._changed = changed
        self._sleep = sleep
        self._known: ClusterFacts | None = None
        self._log = structlog.get_logger("headgate.facts")

    def get(self) -> ClusterFacts:
        """The facts; they must have been learnt."""
        if self._known is None:
            raise LookupError("the facts about the cluster were not learnt yet")
        return self._known

    async def learn(self) -> None:
        """Ask until the cluster answers: nothing may be opened to tenants before it is known what stays closed."""
        while not await self.look():
            await self._sleep(RETRY_SECONDS)

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self._sleep(LOOK_AGAIN_SECONDS)
            await self.look()

    async def look(self) -> bool:
        """Ask once. What was known stays where there is no answer: then it says False."""
        try:
            learnt = await self._learn()
        except (ApiError, Unreachable) as error:
            self._log.warning("could not learn about the cluster", error=str(error))
            return False
        before, self._known = self._known, learnt
        if before not in (None, learnt):
            self._log.info("the cluster has changed", api_addresses=learnt.api_addresses)
            self._changed()
        return True
