"""Wakes whoever follows a workspace when something changed in it: one look for all of a replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import structlog

from headgate.cancellation import heed
from headgate.engine.reading.run_changes import RunChanges

LOOK_SECONDS = 0.25
"""Between looks, while anybody follows."""
_log = structlog.get_logger(__name__)


class Watch:
    """Somebody who waits for news of one workspace."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is news."""
        self._news.set()

    async def wait(self, seconds: float) -> bool:
        """Return when there is news since the last time, and after that many seconds. Whether there was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        there = self._news.is_set()
        self._news.clear()
        return there


class News:
    """Looks while anybody follows, and not otherwise. What it misses is found by those who look without being woken."""

    def __init__(self, changes: RunChanges, *, seconds: float = LOOK_SECONDS) -> None:
        self._changes = changes
        self._seconds = seconds
        self._watches: dict[UUID, set[Watch]] = {}
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def of(self, workspace_id: UUID) -> Iterator[Watch]:
        """Be woken by what changes in the workspace from now on. Look at what there is afterwards, to miss nothing."""
        watch = Watch()
        self._watches.setdefault(workspace_id, set()).add(watch)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="news")
        try:
            yield watch
        finally:
            self._watches[workspace_id].discard(watch)
            if not self._watches[workspace_id]:
                del self._watches[workspace_id]
            if not self._watches and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    def wake_all(self) -> None:
        """Have everybody look."""
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()

    async def _look(self) -> None:
        since = None
        while True:
            try:
                since = await self._told(since)
            except Exception as error:
                # Whoever follows finds out by themselves that Postgres is away.
                _log.warning("no_news", error=type(error).__name__)
            heed()
            await asyncio.sleep(self._seconds)

    async def _told(self, since: int | None) -> int:
        found = await self._changes.news(tuple(self._watches), since or 0)
        for workspace_id in found.workspaces:
            for watch in self._watches.get(workspace_id, ()):
                watch.wake()
        return found.settled
