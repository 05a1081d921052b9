"""Makes workspaces known to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from headgate.api.budget import OnBudgetExceeded
from headgate.domain.audit import Action
from headgate.domain.budget import spent_in
from headgate.domain.durations import parse_duration
from headgate.engine import audit
from headgate.engine.acts import workspace_act
from headgate.engine.breakers import view
from headgate.engine.context import Context
from headgate.engine.control.cancellation import cancel_run
from headgate.engine.types import Effects, RecordedWorkspace, WorkspaceRecord, WorkspaceUsage
from headgate.store import credentials, open_runs, workflows, workspaces


async def sync_workspace(context: Context, record: WorkspaceRecord) -> UUID:
    """Record a workspace under its active name, and return its id. Writes nothing when nothing changed."""
    settings = _settings(record)
    now = context.now()
    async with context.database.system() as tx:
        known = await workspaces.find(tx, record.name)
        if known is not None and (known.settings, known.suspended, known.pot) == (
            settings,
            record.suspended,
            record.pot,
        ):
            return known.id
        workspace_id = await workspaces.put(
            tx, context.new_id(now), record.name, suspended=record.suspended, settings=settings, now=now
        )
        await workspaces.move_to_pot(tx, workspace_id, record.pot, now)
        action = Action.WORKSPACE_CREATE if known is None else Action.WORKSPACE_CHANGE
        act = workspace_act(action, record.name, _changes(known, record, settings))
        await audit.record(tx, workspace_id, now, act)
        return workspace_id


async def usage(context: Context) -> tuple[WorkspaceUsage, ...]:
    """What every active workspace uses right now."""
    now = context.now()
    async with context.database.system() as tx:
        rows = await workspaces.usage(tx)
    return tuple(
        WorkspaceUsage(
            workspace_id=row.id,
            name=row.name,
            pot=row.pot,
            running=row.running,
            borrowed=row.borrowed,
            pending=row.pending,
            executions_today=row.executions if row.day >= now.date() else 0,
            storage_bytes=row.storage_bytes,
            api_calls=row.api_calls,
            spent=spent_in(row.month, row.spent, now),
            breaker=view(row.breaker, now),
        )
        for row in rows
    )


async def workspace_id(context: Context, name: str) -> UUID | None:
    """The id of the active workspace of that name."""
    async with context.database.system() as tx:
        known = await workspaces.find(tx, name)
    return None if known is None else known.id


async def recorded(context: Context, names: Sequence[str]) -> tuple[RecordedWorkspace, ...]:
    """Those of the names that active workspaces have, by name."""
    async with context.database.system() as tx:
        rows = await workspaces.named(tx, names)
    return tuple(RecordedWorkspace(row.id, row.name, row.suspended) for row in rows)


async def running_runs(context: Context, name: str) -> int:
    """How many runs of the active workspace of that name are under way."""
    async with context.database.system() as tx:
        known = await workspaces.find(tx, name)
        return 0 if known is None else await workspaces.running(tx, known.id)


async def suspend_workspace(context: Context, name: str) -> None:
    """Let no run of the workspace start any more. Nothing happens where there is no workspace of that name."""
    async with context.database.system() as tx:
        known = await workspaces.find(tx, name)
        if known is not None and not known.suspended:
            await workspaces.suspend(tx, known.id)
            act = workspace_act(Action.WORKSPACE_CHANGE, name, {"suspended": [False, True]})
            await audit.record(tx, known.id, context.now(), act)


async def retire_workspace(context: Context, name: str) -> Effects:
    """End a workspace for good. See ``Engine.retire_workspace``.

    Several transactions, of which the one that frees the name is the last: a crash in between leaves a workspace in
    which nothing starts, and of which this finishes the rest when it is called again.
    """
    await suspend_workspace(context, name)
    async with context.database.system() as tx:
        known = await workspaces.find(tx, name)
    if known is None:
        return Effects()
    async with context.database.tenant(known.id) as tx:
        await workflows.retire_all(tx, known.id, context.now())
    await context.changed(known.id)
    async with context.database.tenant(known.id) as tx:
        under_way = await open_runs.of_workspace(tx, known.id)
    effects = Effects()
    for run_id in under_way:
        effects |= await cancel_run(context, known.id, run_id, "the Workspace was deleted")
    async with context.database.tenant(known.id, lock=known.id) as tx:
        await credentials.delete_all(tx, known.id)
    now = context.now()
    async with context.database.system() as tx:
        await workspaces.move_to_pot(tx, known.id, None, now)
        if await workspaces.retire(tx, known.id, now):
            await audit.record(tx, known.id, now, workspace_act(Action.WORKSPACE_RETIRE, name, {}))
    return effects


def _changes(
    known: workspaces.KnownWorkspace | None, record: WorkspaceRecord, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What was and what is, by name; what is new, where there was nothing."""
    after = {**settings, "suspended": record.suspended, "pot": record.pot}
    if known is None:
        return after
    before = {**known.settings, "suspended": known.suspended, "pot": known.pot}
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}


def _settings(record: WorkspaceRecord) -> dict[str, Any]:
    """What is kept of a workspace's plan and wishes, by column."""
    limits: dict[str, Any] = {name: getattr(record.limits, name) for name in workspaces.LIMITS}
    breaker, retention, budget = record.breaker, record.retention, record.budget
    return limits | {
        "on_exceeded": record.on_exceeded.value,
        "weight": record.weight,
        "budget": Decimal(budget.monthly) if budget is not None else None,
        "budget_stops": budget is not None and budget.on_exceeded is OnBudgetExceeded.STOP,
        "failure_threshold": breaker.failure_threshold,
        "failure_window": parse_duration(breaker.window),
        "cool_down": parse_duration(breaker.cool_down),
        "half_open_runs": breaker.half_open_runs,
        "execution_logs_days": retention.execution_days,
        "audit_logs_days": retention.audit_days,
        "webhook_logs_days": retention.webhook_days,
        "compliance_logs_days": retention.compliance_days,
        "legal_hold": retention.legal_hold,
    }
