"""Carrying on what the engine decided: waking the dispatcher, ending Jobs, mirroring and counting runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from uuid import UUID

from headgate.domain.run_status import calm
from headgate.domain.task import TaskRef
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Effects
from headgate.reconcile.keys import Key, Topic, key_for
from headgate.reconcile.workloads import Workloads

REMEMBERED = 4096
"""Cancelled attempts whose Jobs may still appear: what was asked for before they were cancelled can be on its way."""


class EffectHandler:
    """Takes in the effects of every transaction of the engine.

    It remembers which WorkflowRun mirrors which open run (those of schedules have none), and what was cancelled lately.
    """

    def __init__(
        self,
        workloads: Workloads,
        enqueue: Callable[[Key], None],
        metrics: RunMetrics,
        *,
        later: Callable[[Key, float], None],
    ) -> None:
        """``later`` enqueues a key in so many seconds, unless it is due earlier anyway."""
        self._workloads = workloads
        self._enqueue = enqueue
        self._later = later
        self._metrics = metrics
        self._mirrors: dict[UUID, Key] = {}
        self._open: Counter[str] = Counter()
        self._cancelled: dict[TaskRef, None] = {}
        self._stopping: dict[TaskRef, None] = {}
        self.breakers = asyncio.Event()
        """Set when a circuit breaker changed."""
        self.work = asyncio.Event()
        """Set when there may be something to claim."""
        self.chain = asyncio.Event()
        """Set when there may be a call to make, or an ending to act on."""
        self.runners = asyncio.Event()
        """Set when there may be something for a runner."""

    def mirror(self, run_id: UUID, key: Key) -> None:
        """Note that the WorkflowRun mirrors the run."""
        if run_id not in self._mirrors:
            self._open[key.namespace] += 1
        self._mirrors[run_id] = key

    def forget(self, run_id: UUID) -> None:
        """The run is final, and its mirror says so."""
        if (key := self._mirrors.pop(run_id, None)) is not None:
            self._open[key.namespace] -= 1
            if not self._open[key.namespace]:
                del self._open[key.namespace]

    def open_in(self, namespace: str) -> int:
        """How many open runs have a mirror in the namespace."""
        return self._open[namespace]

    def is_cancelled(self, ref: TaskRef) -> bool:
        """Whether the attempt was cancelled lately, so that its Job is to be ended as soon as it is seen."""
        return ref in self._cancelled

    def is_stopping(self, ref: TaskRef) -> bool:
        """Whether the attempt was asked to end lately: its Job is to be ended, and tells so when it is gone."""
        return ref in self._stopping

    async def handle(self, effects: Effects) -> None:
        """Do what follows. Jobs are ended by their own reconciliation, which repeats what fails."""
        if effects.tasks_queued:
            self.work.set()
        if effects.for_runners:
            self.runners.set()
        # What is asked to end may be a call, and the run that it made is to be told.
        if effects.to_chain or effects.stopping:
            self.chain.set()
        if effects.breakers:
            self.breakers.set()
        for run in effects.finished:
            self._metrics.finished(run)
        for run_id in effects.runs:
            if (key := self._mirrors.get(run_id)) is None:
                continue
            pause = calm(self.open_in(key.namespace)) if run_id in effects.calm else timedelta(0)
            if pause:
                self._later(key, pause.total_seconds())
            else:
                self._enqueue(key)
        self._remember(self._cancelled, effects.cancelled)
        self._remember(self._stopping, effects.stopping)

    def _remember(self, known: dict[TaskRef, None], refs: Iterable[TaskRef]) -> None:
        for ref in refs:
            known[ref] = None
            for job in self._workloads.of(ref):
                self._enqueue(key_for(Topic.JOB, job))
        while len(known) > REMEMBERED:
            del known[next(iter(known))]
