"""What the replica does that leads: it fills its caches, and then all parts work until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from headgate.cluster.cache import Cache
from headgate.cluster.connection import Connection
from headgate.cluster.reflector import Reflector
from headgate.desired.keys import ApiResource
from headgate.handlers.routing import Router
from headgate.handlers.watches import watch
from headgate.probes import Health, heartbeat
from headgate.reconcile.facts import Facts
from headgate.reconcile.keys import Key
from headgate.reconcile.loops import forever
from headgate.reconcile.queue import WorkQueue
from headgate.reconcile.recovery import Recovery
from headgate.reconcile.resync import Resync
from headgate.reconcile.sweep import Sweep
from headgate.settings import OperatorSettings

FIRST_RESYNC_SECONDS = 20.0
"""After the start: by then the watches have listed, and what was deleted in between shows."""

Loop = Callable[[], Coroutine[Any, Any, None]]
"""Works for ever."""


@dataclass(frozen=True)
class Watching:
    """What fills the cache, and tells of every change in it."""

    connection: Connection
    router: Router
    reflectors: Mapping[ApiResource, Reflector]
    resync: Resync


@dataclass(frozen=True)
class Operator:
    """Everything that works while this replica leads."""

    watching: Watching
    queue: WorkQueue[Key]
    cache: Cache
    sweep: Sweep
    facts: Facts
    recovery: Recovery
    loops: tuple[Loop, ...]
    """All that asks by itself for what there is to do."""
    health: Health
    settings: OperatorSettings
    prime: Callable[[], None]

    async def run(self, *, spawned: Callable[[], None]) -> None:
        """Work until cancelled. Raises when a part fails for good. ``spawned`` is that of ``watch``."""
        watching = self.watching
        versions, _ = await asyncio.gather(watching.resync.fill(), self.facts.learn())
        self.prime()
        self.sweep.all()
        self.health.ready = True
        structlog.get_logger("headgate").info("caches are filled", objects=self.cache.size)
        async with asyncio.TaskGroup() as group:
            for part in (
                watch(watching.connection, watching.router, spawned=spawned),
                *(reflector.run(versions[resource]) for resource, reflector in watching.reflectors.items()),
                self.queue.run(self.settings.reconcile_workers),
                *(loop() for loop in self.loops),
                forever("recovery", self._recover),
                watching.resync.run(FIRST_RESYNC_SECONDS, self.settings.resync_seconds),
                heartbeat(self.health, "reconciliation", self.queue.overdue),
            ):
                group.create_task(part)

    async def _recover(self) -> None:
        """Once, as soon as Postgres answers."""
        await self.recovery.run()
        await asyncio.Event().wait()
