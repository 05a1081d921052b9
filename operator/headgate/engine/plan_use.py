"""Tells a workspace what it uses of its plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from headgate.domain.budget import spent_in
from headgate.domain.usage import MEGABYTE
from headgate.engine.breakers import view
from headgate.engine.context import Context
from headgate.engine.reading.analytics import UseView, use_of
from headgate.engine.types import BreakerView
from headgate.store import plan_use
from headgate.store.breakers import breaker_of


@dataclass(frozen=True)
class LimitUse:
    """One limit and what is used of it."""

    name: str
    """As the Quota names it, such as ``maxConcurrentRuns``."""
    used: int
    """By the workspace."""
    limit: int
    used_together: int | None = None
    """By all workspaces that have the limit together; None where it is the workspace's own."""


@dataclass(frozen=True)
class PlanUse:
    """What a workspace uses of its plan."""

    workspace_id: UUID
    name: str
    suspended: bool
    shared: bool
    """Whether several workspaces have the limits together."""
    limits: tuple[LimitUse, ...]
    running: int
    """Runs under way, those in the places of their callers too."""
    pending: int
    """Runs that wait to start."""
    breaker: BreakerView
    spent: Decimal
    """What the attempts cost that ended this month."""
    budget: Decimal | None
    """What may be spent in a month; None for any amount."""
    use: UseView | None
    """What the attempts used that ended this month; None where nothing was measured."""


async def of_workspace(context: Context, workspace_id: UUID) -> PlanUse | None:
    """What the workspace uses right now, or None where it was retired."""
    now = context.now()
    async with context.database.tenant(workspace_id) as tx:
        row = await plan_use.plan_use(tx, workspace_id, now.date().replace(day=1))
    if row is None:
        return None
    today = now.date()
    shared = row.pot is not None
    runs, storage = _today(row.executions, row.day, today), _megabytes(row.storage_bytes)
    together = (
        (
            row.pot_running,
            _today(row.pot_executions, row.pot_day, today),
            _megabytes(row.pot_storage_bytes),
            row.pot_api_calls,
        )
        if shared
        else (None, None, None, None)
    )
    return PlanUse(
        workspace_id=workspace_id,
        name=row.name,
        suspended=row.suspended,
        shared=shared,
        limits=(
            LimitUse("maxConcurrentRuns", row.running, row.max_concurrent_runs, together[0]),
            LimitUse("maxExecutionsPerDay", runs, row.max_executions_per_day, together[1]),
            LimitUse("maxStorageMB", storage, row.max_storage_mb, together[2]),
            LimitUse("maxApiCallsPerHour", row.api_calls, row.max_api_calls_per_hour, together[3]),
            LimitUse("maxWorkflows", row.workflows, row.max_workflows),
        ),
        running=row.running + row.borrowed,
        pending=row.pending,
        breaker=view(breaker_of(row), now),
        spent=spent_in(row.month, row.spent, now),
        budget=row.budget,
        use=use_of(row),
    )


def _today(executions: int, day: date, today: date) -> int:
    return executions if day >= today else 0


def _megabytes(count: int) -> int:
    """Rounded up: nothing is kept for nothing."""
    return -(-count // MEGABYTE)
