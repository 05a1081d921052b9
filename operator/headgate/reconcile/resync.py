"""Filling the cache at the start, and comparing it with complete lists from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog
from prometheus_client import CollectorRegistry, Counter

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.listing import compare
from headgate.cluster.resources import WATCHED
from headgate.desired.keys import ApiResource

RETRY_SECONDS = 2.0


class Resync:
    """Lists everything that is watched.

    The first time it fills the cache, before anything is reconciled: so a restart over unchanged objects finds every
    child in place and writes nothing. Later it finds what watches missed, above all deletions between a list and the
    watch that follows it. Costs one request per 100 objects of a kind.
    """

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        registry: CollectorRegistry,
        *,
        changed: Callable[[ApiResource, Object], object],
        vanished: Callable[[ApiResource, Object], None],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._changed = changed
        self._vanished = vanished
        self._missed = Counter(
            "headgate_watch_missed_total",
            "Changes that a list found and no watch had told.",
            ["resource"],
            registry=registry,
        )
        self._log = structlog.get_logger("headgate.resync")

    async def fill(self) -> Mapping[ApiResource, int]:
        """Fill the cache, one kind after the other; waits for kinds that do not exist yet, and for the API server.

        Returns the version of each kind's list.
        """
        # All at once would take as long, as it is this process that is busy, and hold a page of each kind at a time.
        return {resource: await self._fill(resource) for resource in WATCHED}

    async def once(self) -> None:
        """Compare every kind once, one after the other."""
        for resource in WATCHED:
            found = await compare(self._kube, self._cache, resource, self._changed)
            for item in found.gone:
                self._vanished(resource, item)
            self._missed.labels(resource.plural).inc(found.news + len(found.gone))

    async def run(self, first_seconds: float, seconds: float) -> None:
        """Compare for ever: soon after the watches have started, then at long intervals."""
        pause = first_seconds
        while True:
            await asyncio.sleep(pause)
            pause = seconds
            try:
                await self.once()
            except (ApiError, Unreachable) as error:
                self._log.warning("could not compare the cache with the cluster", error=str(error))
                pause = min(seconds, RETRY_SECONDS * 5)

    async def _fill(self, resource: ApiResource) -> int:
        while True:
            try:
                found = await compare(self._kube, self._cache, resource, self._cache.upsert)
            except (ApiError, Unreachable) as error:
                self._log.warning("waiting for the cluster", resource=resource.plural, error=str(error))
            else:
                return found.version
            await asyncio.sleep(RETRY_SECONDS)
