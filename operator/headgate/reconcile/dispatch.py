"""Loops that drive the engine: claiming attempts, firing schedules, ending what is overdue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from headgate.cluster.errors import ApiError, Unreachable
from headgate.domain.apart import NEEDS_MOCK, NO_RUNNERS
from headgate.domain.task import ClaimTerms, JobTask, Outcome, TaskRef
from headgate.engine.engine import Engine
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.loops import forever
from headgate.reconcile.workloads import ForeignJob, NoRunners, Workloads, refusal

LOOK_SECONDS = 1.0
"""Between looks at the queue: runs that start, or go on, through the gateway show then."""
REFUSED_SECONDS = 10.0
"""Until an attempt that the API server refused for now is tried again."""


class Dispatcher:
    """Turns claimed attempts into Jobs."""

    def __init__(
        self,
        engine: Engine,
        workloads: Workloads,
        effects: EffectHandler,
        terms: ClaimTerms,
        *,
        wall: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._workloads = workloads
        self._effects = effects
        self._terms = terms
        self._wall = wall
        self._log = structlog.get_logger("headgate.dispatch")

    async def run(self) -> None:
        """Claim for ever."""
        await forever("dispatch", self.once, self._effects.work, first=self._take_over, net_seconds=LOOK_SECONDS)

    async def _take_over(self) -> None:
        await self._engine.take_over_claims(self._terms.holder, self._wall())

    async def once(self) -> datetime | None:
        """Claim until nothing is due, and create the Jobs. Returns when the next attempt is due, where one is known."""
        while True:
            claimed_at = self._wall()
            claimed = await self._engine.claim_jobs(self._terms, claimed_at)
            if not claimed.tasks:
                return claimed.next_due
            created = await asyncio.gather(*(self._create(task) for task in claimed.tasks))
            made = [job for job in created if job is not None]
            await self._effects.handle(await self._engine.record_jobs(made, claimed_at))
            if len(claimed.tasks) < self._terms.limit:
                # That was all; who queues more says so.
                return claimed.next_due

    async def _create(self, task: JobTask) -> tuple[TaskRef, str] | None:
        """Create one Job; None where it could not be, and the attempt waits or has failed."""
        try:
            return task.ref, await self._workloads.ensure(task)
        except ApiError as error:
            if error.is_invalid:
                await self._fail(task, "InvalidJob", error.message)
            else:
                await self._refused(task, error)
        except ForeignJob as error:
            await self._fail(task, "ForeignJob", str(error))
        except NoRunners:
            await self._fail(task, NEEDS_MOCK, NO_RUNNERS)
        except Unreachable as error:
            self._log.warning("could not create a Job", run=str(task.ref.run_id), node=task.ref.node, error=str(error))
        return None

    async def _refused(self, task: JobTask, error: ApiError) -> None:
        """The claim runs out, and the attempt is claimed anew: meanwhile the run says why it waits."""
        until = self._wall() + timedelta(seconds=REFUSED_SECONDS)
        waiting = replace(refusal(error), node=task.ref.node, until=until)
        await self._effects.handle(await self._engine.record_waiting(task.ref, waiting))

    async def _fail(self, task: JobTask, reason: str, message: str) -> None:
        outcome = Outcome(succeeded=False, reason=reason, message=message[:1024])
        await self._effects.handle(await self._engine.complete(task.ref, outcome))
