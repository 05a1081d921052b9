"""What the replica does that leads: it fills its caches, and then all parts work until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from headgate.cluster.cache import Cache
from headgate.cluster.connection import Connection
from headgate.cluster.reflector import Reflector
from headgate.desired.keys import ApiResource
from headgate.handlers.routing import Router
from headgate.handlers.watches import watch
from headgate.probes import Health, heartbeat
from headgate.reconcile.database import DatabaseMonitor
from headgate.reconcile.dispatch import Dispatcher
from headgate.reconcile.facts import Facts
from headgate.reconcile.keys import RESOURCE_OF, Key, Topic, key_for
from headgate.reconcile.loops import forever
from headgate.reconcile.queue import WorkQueue
from headgate.reconcile.recovery import Recovery
from headgate.reconcile.resync import Resync
from headgate.reconcile.runners import Runners
from headgate.reconcile.runs import is_settled
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.timekeeping import Timekeeper
from headgate.reconcile.usage import UsageBook
from headgate.settings import OperatorSettings

FIRST_RESYNC_SECONDS = 20.0
"""After the start: by then the watches have listed, and what was deleted in between shows."""


@dataclass(frozen=True)
class Operator:
    """Everything that works while this replica leads."""

    connection: Connection
    router: Router
    reflectors: Mapping[ApiResource, Reflector]
    queue: WorkQueue[Key]
    cache: Cache
    resync: Resync
    recovery: Recovery
    dispatcher: Dispatcher
    timekeeper: Timekeeper
    logs: LogKeeper
    runners: Runners
    usage: UsageBook
    facts: Facts
    database: DatabaseMonitor
    health: Health
    settings: OperatorSettings
    prime: Callable[[], None]

    async def run(self, *, spawned: Callable[[], None]) -> None:
        """Work until cancelled. Raises when a part fails for good. ``spawned`` is that of ``watch``."""
        versions, _ = await asyncio.gather(self.resync.fill(), self.facts.learn())
        self.prime()
        self.enqueue_all()
        self.health.ready = True
        structlog.get_logger("headgate").info("caches are filled", objects=self.cache.size)
        async with asyncio.TaskGroup() as group:
            for part in (
                watch(self.connection, self.router, spawned=spawned),
                *(reflector.run(versions[resource]) for resource, reflector in self.reflectors.items()),
                self.queue.run(self.settings.reconcile_workers),
                self.dispatcher.run(),
                self.timekeeper.run(),
                self.logs.run(),
                self.runners.run(),
                self.usage.run(),
                self.facts.run(),
                self.database.run(),
                forever("recovery", self._recover),
                self.resync.run(FIRST_RESYNC_SECONDS, self.settings.resync_seconds),
                heartbeat(self.health, "reconciliation", self.queue.overdue),
            ):
                group.create_task(part)

    def enqueue_all(self) -> None:
        """Look at everything that may need it: after a start, and when Postgres came back."""
        self.enqueue(Topic.QUOTA, Topic.WORKSPACE, Topic.WORKFLOW, Topic.RUN, Topic.JOB)

    def enqueue(self, *topics: Topic) -> None:
        """Look at all of these kinds, but for runs that have ended."""
        for topic in topics:
            for key in self.cache.keys(RESOURCE_OF[topic]):
                if topic is Topic.RUN and ((live := self.cache.get(key)) is None or is_settled(live)):
                    continue
                self.queue.add(key_for(topic, key))

    async def _recover(self) -> None:
        """Once, as soon as Postgres answers."""
        await self.recovery.run()
        await asyncio.Event().wait()
