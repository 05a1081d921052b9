"""Following one kind of object: a list, and then a watch from its version on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.listing import compare, selector
from headgate.desired.keys import ApiResource

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 30.0


def pause(failures: int) -> float:
    """Seconds until a watch is opened again after so many failures in a row: doubling from 0.1 s up to 30 s."""
    return float(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 20)))


class Reflector:
    """Tells of every change of one kind, in the order in which the API server made them.

    Where the server no longer has the changes since the last one seen, a complete list closes the gap: what it shows is
    told as changes, and what it lacks as gone. Costs one request a watch, which lasts minutes, and none an event.
    """

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        resource: ApiResource,
        *,
        changed: Callable[[ApiResource, Object], object],
        deleted: Callable[[ApiResource, Object], object],
        vanished: Callable[[ApiResource, Object], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``vanished`` is told of objects that the cache has dropped already; ``deleted`` of those in it."""
        self._kube = kube
        self._cache = cache
        self._resource = resource
        self._changed = changed
        self._deleted = deleted
        self._vanished = vanished
        self._sleep = sleep
        self._log = structlog.get_logger("headgate.watch")

    async def run(self, version: int | None = None) -> None:
        """Follow for ever: from ``version`` on, which a list gave, or from a list of its own."""
        failures = 0
        while True:
            try:
                if version is None:
                    version = await self._list()
                events = self._kube.watch(self._resource, labels=selector(self._resource), version=version)
                async for kind, item in events:
                    version = self._take_in(kind, item)
                    failures = 0
            except ApiError as error:
                version = None
                failures += 1
                if not error.is_gone:
                    self._log.warning("a watch was refused", resource=self._resource.plural, error=str(error))
            except Unreachable as error:
                failures += 1
                self._log.warning("a watch broke", resource=self._resource.plural, error=str(error))
            await self._sleep(pause(failures))

    def _take_in(self, kind: str, item: Object) -> int:
        if kind == "DELETED":
            self._deleted(self._resource, item)
        elif kind in ("ADDED", "MODIFIED"):
            self._changed(self._resource, item)
        return _version(item)

    async def _list(self) -> int:
        found = await compare(self._kube, self._cache, self._resource, self._changed)
        for item in found.gone:
            self._vanished(self._resource, item)
        return found.version


def _version(item: Mapping[str, Any]) -> int:
    return int(item["metadata"]["resourceVersion"])
