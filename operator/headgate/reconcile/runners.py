"""Runners: a Job for every run that has work for one, as long as it has, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import structlog

from headgate.cluster.errors import ApiError, Unreachable
from headgate.domain.runner_task import LOSSES, OpenRunnerTask
from headgate.domain.task import Outcome, TaskRef, Waiting
from headgate.engine.engine import Engine
from headgate.engine.types import Effects
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.loops import forever
from headgate.reconcile.pools import Pools
from headgate.reconcile.runner_jobs import RunnerJobs

LOOK_SECONDS = 1.0
"""Between looks at the queue: what the gateway recorded shows then."""
OVERSTAYED_SECONDS = 30.0
"""How long after its lease an attempt that was asked to end may still be ending: its runner may be cut off."""
SILENT_SECONDS = 60.0
"""How long an attempt may be due while nothing is in its runner's way, before it is said that none takes it."""
STUCK_SECONDS = 60.0
"""How long a runner may outlive the last work of its run."""

_LOOK = "see whether its pod has started, and by its log whether it reaches the gateway"


class Runners:
    """Keeps runners in line with the queue. Costs one query a second, and requests where there is something to do."""

    def __init__(
        self,
        engine: Engine,
        jobs: RunnerJobs,
        pools: Pools,
        effects: EffectHandler,
        *,
        ring: Callable[[frozenset[str]], object],
        wall: Callable[[], datetime],
    ) -> None:
        """``ring`` is told the workspaces for whose pools there is something new to do."""
        self._engine = engine
        self._jobs = jobs
        self._pools = pools
        self._ring = ring
        self._effects = effects
        self._wall = wall
        self._seen: dict[UUID, frozenset[OpenRunnerTask]] = {}
        self._done: dict[UUID, datetime] = {}
        self._told: dict[UUID, Mapping[str, Waiting | None]] = {}
        self._rung: frozenset[TaskRef] = frozenset()
        self._log = structlog.get_logger("headgate.runners")

    async def run(self) -> None:
        """Look for ever."""
        for run_id in self._jobs.runs():
            self._done[run_id] = self._wall()
        await forever("runners", self.once, self._effects.runners, net_seconds=LOOK_SECONDS)

    async def once(self) -> datetime | None:
        """Look once."""
        found = await self._engine.runner_tasks.open()
        runs = {run_id: tuple(tasks) for run_id, tasks in groupby(found, lambda task: task.ref.run_id)}
        pooled = [task for task in found if self._pools.takes(task)]
        self._wake(pooled)
        self._pools.resize(pooled)
        await self._tell_changes(runs)
        results = await asyncio.gather(
            *(self._see_to(run_id, tasks) for run_id, tasks in runs.items()), self._end_stuck(), return_exceptions=True
        )
        for error in results:
            if isinstance(error, (ApiError, Unreachable)):
                self._log.warning("could not see to the runner of a run", error=str(error))
            elif error is not None:
                raise error
        return None

    def _wake(self, pooled: Sequence[OpenRunnerTask]) -> None:
        """Runners wait at the gateway, which hears of what it recorded itself: the rest is told here."""
        now = self._wall()
        free = [task for task in pooled if task.holder is None and task.due_at <= now]
        new = frozenset(task.workspace for task in free if task.ref not in self._rung)
        self._rung = frozenset(task.ref for task in free)
        if new:
            self._ring(new)

    async def _tell_changes(self, runs: Mapping[UUID, tuple[OpenRunnerTask, ...]]) -> None:
        """What was recorded through the gateway has followers here: mirrors of runs, and Jobs of other nodes."""
        now = {run_id: frozenset(tasks) for run_id, tasks in runs.items()}
        changed = {
            run_id for run_id in now.keys() | self._seen.keys() if _state(now, run_id) != _state(self._seen, run_id)
        }
        for run_id in self._seen.keys() - now.keys():
            self._done[run_id] = self._wall()
            self._told.pop(run_id, None)
        for run_id in now:
            self._done.pop(run_id, None)
        # What has gone ended, and may have ended its run, or have left a call to be made.
        ended = bool(_refs(self._seen) - _refs(now))
        self._seen = now
        if changed:
            self._effects.work.set()
            await self._effects.handle(Effects(runs=frozenset(changed), to_chain=ended))

    async def _see_to(self, run_id: UUID, tasks: tuple[OpenRunnerTask, ...]) -> None:
        now = self._wall()
        overdue = [task for task in tasks if task.expires_at <= now]
        await self._fail(overdue, "Timeout", "the attempt took longer than its timeout")
        alive = self._jobs.alive(run_id)
        tasks = tuple(task for task in tasks if task.expires_at > now)
        left = [task for task in tasks if _is_left(task, now, alive=alive or self._pools.takes(task))]
        await self._fail(left, "Cancelled", "its runner is gone")
        tasks = tuple(task for task in tasks if not task.stopping)
        pooled = [task for task in tasks if self._pools.takes(task)]
        if pooled:
            await self._see_to_pooled(run_id, pooled)
            tasks = tuple(task for task in tasks if task not in pooled)
        if not tasks:
            return
        if alive:
            waiting = await self._jobs.waiting(run_id)
            await self._tell(run_id, tasks, waiting or _silent(tasks, self._jobs.made(run_id), now))
            return
        worn = [task for task in tasks if task.losses >= LOSSES]
        await self._fail(worn, "RunnerLost", f"{LOSSES} runners ended before it did: {self._jobs.why_lost(run_id)}")
        due = [task for task in tasks if task.due_at <= now and task.losses < LOSSES]
        if not due or not self._jobs.may_make(run_id, max(task.losses for task in due), now):
            return
        await self._tell(run_id, due, await self._jobs.make(run_id, due[0]))

    async def _see_to_pooled(self, run_id: UUID, tasks: Sequence[OpenRunnerTask]) -> None:
        """A pool takes them up by itself; what took several runners with it is given up."""
        now = self._wall()
        # Whoever let its lease run out is a loss that the next claim would count.
        worn = [task for task in tasks if task.due_at <= now and task.losses + (task.holder is not None) >= LOSSES]
        await self._fail(worn, "RunnerLost", f"{LOSSES} runners were lost, or were cut off, before it ended")
        free = [task for task in tasks if task.holder is None and task not in worn]
        if free:
            await self._tell(run_id, free, await self._pools.waiting(min(free, key=lambda task: task.due_at)))

    async def _fail(self, tasks: Sequence[OpenRunnerTask], reason: str, message: str) -> None:
        for task in tasks:
            outcome = Outcome(succeeded=False, reason=reason, message=message)
            await self._effects.handle(await self._engine.complete(task.ref, outcome))

    async def _tell(self, run_id: UUID, tasks: Sequence[OpenRunnerTask], waiting: Waiting | None) -> None:
        """Record why attempts that nobody has taken yet do not start, where that is new."""
        told = self._told.get(run_id, {})
        free = [task for task in tasks if task.holder is None and task.due_at <= self._wall()]
        for task in free:
            if told.get(task.ref.node) != waiting:
                own = waiting and Waiting(waiting.reason, waiting.message, task.ref.node, waiting.until)
                await self._effects.handle(await self._engine.record_waiting(task.ref, own))
        self._told[run_id] = {task.ref.node: waiting for task in free}

    async def _end_stuck(self) -> None:
        """A runner ends by itself when there is nothing to do; one that does not is ended."""
        before = self._wall() - timedelta(seconds=STUCK_SECONDS + self._jobs.idle_seconds)
        for run_id in [run_id for run_id, since in self._done.items() if since <= before]:
            await self._jobs.end(run_id)
            self._done.pop(run_id, None)


def _silent(tasks: Sequence[OpenRunnerTask], made: datetime | None, now: datetime) -> Waiting | None:
    """That a runner which was made then takes nothing on, once that lasts; one that has work may be busy."""
    due = min(task.due_at for task in tasks)
    since = due if made is None else max(due, made)
    if any(task.holder is not None for task in tasks) or now - since < timedelta(seconds=SILENT_SECONDS):
        return None
    return Waiting("RunnerSilent", f"the run's runner takes nothing on since {since:%H:%M:%S} UTC: {_LOOK}")


def _is_left(task: OpenRunnerTask, now: datetime, *, alive: bool) -> bool:
    """Whether nobody ends any more what was asked to end, so that it counts as ended."""
    overstayed = task.due_at + timedelta(seconds=OVERSTAYED_SECONDS) <= now
    return task.stopping and (task.holder is None or not alive or overstayed)


def _refs(runs: Mapping[UUID, frozenset[OpenRunnerTask]]) -> frozenset[TaskRef]:
    return frozenset(task.ref for tasks in runs.values() for task in tasks)


def _state(runs: Mapping[UUID, frozenset[OpenRunnerTask]], run_id: UUID) -> frozenset[tuple[object, ...]]:
    """What of a run's tasks others can see: leases grow longer all the time."""
    return frozenset((task.ref, task.holder, task.losses) for task in runs.get(run_id, ()))
