"""Fires schedules: every tick makes one run, whoever fires it and however often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import structlog

from headgate.api.node import ConcurrencyPolicy, Schedule
from headgate.domain.schedule import due
from headgate.engine import partitions
from headgate.engine.bounds import clip
from headgate.engine.context import Context
from headgate.engine.control.cancellation import cancel_run
from headgate.engine.starting.admission import admit_in
from headgate.engine.starting.starter import Starter
from headgate.engine.types import Effects, Fired, Refused, RunRequest, TriggerKind
from headgate.store import schedules
from headgate.store.database import Transaction
from headgate.store.errors import DatabaseUnavailable, PartitionMissing
from headgate.store.schedules import ScheduleKey, TakenSchedule

_log = structlog.get_logger(__name__)

CONCURRENCY_POLICY = "ConcurrencyPolicy"
"""Reason of a tick that is left out because a run of the schedule has not ended."""


@dataclass(frozen=True)
class Ticked:
    """What one schedule did."""

    effects: Effects
    workflow: tuple[str, str] | None
    """Namespace and name of the workflow whose schedule moved on."""
    behind: bool
    """Whether older runs should be started now."""

    def __or__(self, effects: Effects) -> Ticked:
        """With further effects."""
        return replace(self, effects=effects | self.effects)


async def fire_due(context: Context, starter: Starter, now: datetime) -> Fired:
    """Fire what is due, then start the older runs that may start now. See ``Engine.fire_due``."""
    keys, next_due = await _due_schedules(context, now)

    async def fire_one(key: ScheduleKey) -> Ticked | None:
        return await partitions.given(context, now, lambda: _fire_safely(context, key, now))

    fired = [await fire_one(key) for key in keys]
    effects, workflows = Effects(), set[tuple[str, str]]()
    for ticked in fired:
        if ticked is not None:
            effects |= ticked.effects
            workflows |= {ticked.workflow} if ticked.workflow is not None else set()
    behind = {key.workspace_id for key, ticked in zip(keys, fired, strict=True) if ticked and ticked.behind}
    for workspace_id in behind:
        effects = await starter.and_start(effects, workspace_id)
    return Fired(effects, frozenset(workflows), next_due)


async def _due_schedules(context: Context, now: datetime) -> tuple[list[ScheduleKey], datetime | None]:
    """The schedules that tick now, and when the next one does."""
    async with context.database.system() as tx:
        keys, upcoming = await schedules.due(tx, now)
    return keys, upcoming.astimezone(UTC) if upcoming is not None else None


async def fire(context: Context, key: ScheduleKey, now: datetime) -> Ticked | None:
    """Make the runs of one schedule and move it on, in one transaction. None when somebody else did.

    With ``concurrencyPolicy: Replace`` the runs that are to be replaced are cancelled before, each in a transaction of
    its own: which ones is decided while the schedule is held and has not moved, so that nobody's new run is among them.
    """
    effects, replaced = Effects(), frozenset[UUID]()
    while True:
        async with context.database.tenant(key.workspace_id) as tx:
            taken = await schedules.take(tx, key, now)
            if taken is None:
                # Whoever was faster tells of the tick; what was cancelled here is told here.
                return Ticked(effects, None, behind=True) if replaced else None
            schedule = Schedule.model_validate(taken.schedule)
            earlier = await _in_the_way(tx, key, schedule) - replaced
            if not earlier:
                return await _fire(context, tx, key, taken, schedule, now) | effects
        for run_id in sorted(earlier):
            effects |= await cancel_run(context, key.workspace_id, run_id, "replaced by the next tick of its schedule")
        replaced |= earlier


async def _in_the_way(tx: Transaction, key: ScheduleKey, schedule: Schedule) -> frozenset[UUID]:
    if schedule.concurrency_policy is not ConcurrencyPolicy.REPLACE:
        return frozenset()
    return frozenset(await schedules.open_runs(tx, key))


async def _fire(
    context: Context, tx: Transaction, key: ScheduleKey, taken: TakenSchedule, schedule: Schedule, now: datetime
) -> Ticked:
    decided = due(schedule, taken.next_tick, now)
    effects, behind = Effects(), schedule.concurrency_policy is ConcurrencyPolicy.REPLACE
    problem: str | None = None
    for tick in decided.ticks:
        if (forbidden := await _forbidden(tx, key, schedule, tick)) is not None:
            problem = clip(forbidden)
            _log.warning("tick_left_out", workspace_id=str(key.workspace_id), workflow=taken.workflow, tick=str(tick))
            continue
        request = RunRequest(
            workspace_id=key.workspace_id,
            namespace=taken.namespace,
            workflow=taken.workflow,
            kind=TriggerKind.SCHEDULE,
            key=tick_key(key, tick),
            trigger=key.node,
        )
        answer, admitted, queue = await admit_in(context, tx, request, now)
        effects |= admitted
        behind |= queue
        if isinstance(answer, Refused):
            problem = clip(f"{answer.reason}: {answer.message}")
    last = decided.ticks[-1] if decided.ticks else taken.last_tick
    await schedules.advance(tx, key, next_tick=decided.next_tick, last_tick=last, last_error=problem)
    return Ticked(effects, (taken.namespace, taken.workflow), behind)


async def _forbidden(tx: Transaction, key: ScheduleKey, schedule: Schedule, tick: datetime) -> str | None:
    """Why a tick is left out, if it is."""
    if schedule.concurrency_policy is not ConcurrencyPolicy.FORBID:
        return None
    open_runs = await schedules.open_runs(tx, key)
    if not open_runs:
        return None
    return (
        f"{CONCURRENCY_POLICY}: the tick of {tick.astimezone(UTC):%Y-%m-%dT%H:%MZ} was left out, because run "
        f"{open_runs[0]} of this schedule has not ended and concurrencyPolicy is Forbid"
    )


async def _fire_safely(context: Context, key: ScheduleKey, now: datetime) -> Ticked | None:
    """``fire``, where what is wrong with one schedule is logged and leaves the others alone: it stays due.

    Raises ``DatabaseUnavailable`` and ``PartitionMissing``, which are not the schedule's fault.
    """
    try:
        return await fire(context, key, now)
    except (DatabaseUnavailable, PartitionMissing):
        raise
    except Exception:
        _log.exception("schedule_failed", workspace_id=str(key.workspace_id), workflow_id=str(key.workflow_id))
        return None


def tick_key(key: ScheduleKey, tick: datetime) -> str:
    """What makes a tick count once."""
    return f"schedule:{key.workflow_id}:{key.node}:{tick.astimezone(UTC).isoformat()}"
