"""Fires schedules: every tick makes one run, whoever fires it and however often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog

from headgate.api.node import Schedule
from headgate.domain.schedule import due
from headgate.engine.admission import admit_in
from headgate.engine.bounds import clip
from headgate.engine.context import Context
from headgate.engine.types import Effects, Refused, RunRequest, ScheduleView, TriggerKind
from headgate.store import schedules
from headgate.store.errors import DatabaseUnavailable, PartitionMissing
from headgate.store.schedules import ScheduleKey

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Ticked:
    """What one schedule did."""

    effects: Effects
    workflow: tuple[str, str]
    behind: bool
    """Whether older runs should be started now."""


async def due_schedules(context: Context, now: datetime) -> tuple[list[ScheduleKey], datetime | None]:
    """The schedules that tick now, and when the next one does."""
    async with context.database.system() as tx:
        keys, upcoming = await schedules.due(tx, now)
    return keys, upcoming.astimezone(UTC) if upcoming is not None else None


async def fire(context: Context, key: ScheduleKey, now: datetime) -> Ticked | None:
    """Make the runs of one schedule and move it on, in one transaction. None when somebody else did."""
    async with context.database.tenant(key.workspace_id) as tx:
        taken = await schedules.take(tx, key, now)
        if taken is None:
            return None
        decided = due(Schedule.model_validate(taken.schedule), taken.next_tick, now)
        effects, behind = Effects(), False
        problem: str | None = None
        for tick in decided.ticks:
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


async def fire_safely(context: Context, key: ScheduleKey, now: datetime) -> Ticked | None:
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


async def view(context: Context, workspace_id: UUID, namespace: str, name: str) -> ScheduleView:
    """When the workflow's schedules ticked last and tick next."""
    async with context.database.tenant(workspace_id) as tx:
        ticks = await schedules.ticks(tx, workspace_id, namespace, name)
    return ScheduleView(_utc(ticks.last_tick), _utc(ticks.next_tick), ticks.errors)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
