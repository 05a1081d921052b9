"""Where requests of runners wait for something to do, until somebody rings."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

NET_SECONDS = 2.0
"""Between looks without a ring: what fell due by itself shows then."""


@dataclass(frozen=True)
class Group:
    """Those who wait for the same."""

    workspace: str
    namespace: str
    kinds: frozenset[str]


class WaitingRoom:
    """Wakes one request for each thing to do, the one that waits longest first. For one event loop."""

    def __init__(self, *, net_seconds: float = NET_SECONDS) -> None:
        self._net_seconds = net_seconds
        self._waiting: dict[str, dict[Group, deque[asyncio.Event]]] = defaultdict(dict)

    def ring(self, workspace: str, kinds: Iterable[str]) -> bool:
        """There is something to do of each of these kinds. Whether somebody waited here for all of it.

        In which namespace it is, is not told: in each somebody is woken.
        """
        groups = list(self._waiting.get(workspace, {}))
        # Where one of several namespaces is concerned, it may be one for which nobody waits here.
        served = len({group.namespace for group in groups}) == 1
        for kind in kinds:
            woken = [self._wake(group) for group in groups if kind in group.kinds]
            served = served and any(woken)
        return served

    async def first(
        self,
        workspace: str,
        namespace: str,
        kinds: Collection[str],
        look: Callable[[], Awaitable[T | None]],
        seconds: float,
        gone: Callable[[], Awaitable[bool]],
    ) -> T | None:
        """What ``look`` finds within that time: at once, after a ring, or by looking from time to time.

        Nobody looks for one who is ``gone``, as what is found would be nobody's.
        """
        group = Group(workspace, namespace, frozenset(kinds))
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while True:
            # Entered before it is looked: who rings meanwhile is heard.
            bell = self._enter(group)
            try:
                found = await look()
                left = until - clock()
                if found is None and left > 0:
                    await _rung(bell, min(left, self._net_seconds))
            finally:
                self._leave(group, bell)
            if found is not None or left <= 0:
                if bell.is_set():
                    # What was rung for may be another thing than what was found.
                    self._wake(group)
                return found
            if await gone():
                self._wake(group)
                return None

    def _wake(self, group: Group) -> bool:
        """Wake the one of the group that waits longest."""
        for bell in self._waiting.get(group.workspace, {}).get(group, ()):
            if not bell.is_set():
                bell.set()
                return True
        return False

    def _enter(self, group: Group) -> asyncio.Event:
        bell = asyncio.Event()
        self._waiting[group.workspace].setdefault(group, deque()).append(bell)
        return bell

    def _leave(self, group: Group, bell: asyncio.Event) -> None:
        groups = self._waiting[group.workspace]
        groups[group].remove(bell)
        if not groups[group]:
            del groups[group]
        if not groups:
            del self._waiting[group.workspace]


async def _rung(bell: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return
