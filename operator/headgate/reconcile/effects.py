"""Carrying on what the engine decided: waking the dispatcher, ending Jobs, mirroring runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from headgate.engine.types import Effects
from headgate.reconcile.keys import Key
from headgate.reconcile.workloads import Workloads


class EffectHandler:
    """Takes in the effects of every transaction of the engine.

    It remembers which WorkflowRun mirrors which open run; runs of schedules have none.
    """

    def __init__(self, workloads: Workloads, enqueue: Callable[[Key], None]) -> None:
        self._workloads = workloads
        self._enqueue = enqueue
        self._mirrors: dict[UUID, Key] = {}
        self.work = asyncio.Event()
        """Set when there may be something to claim."""

    def mirror(self, run_id: UUID, key: Key) -> None:
        """Note that the WorkflowRun mirrors the run."""
        self._mirrors[run_id] = key

    def forget(self, run_id: UUID) -> None:
        """The run is final, and its mirror says so."""
        self._mirrors.pop(run_id, None)

    async def handle(self, effects: Effects) -> None:
        """Do what follows. Ending Jobs may raise; what raised is made up for when the Job is looked at again."""
        if effects.tasks_queued:
            self.work.set()
        for run_id in effects.runs:
            if (key := self._mirrors.get(run_id)) is not None:
                self._enqueue(key)
        for ref in effects.cancelled:
            await self._workloads.end(ref)
