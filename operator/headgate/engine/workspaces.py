"""The workspaces that the engine knows: what they may, what they use, and their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from headgate.api.budget import OnBudgetExceeded
from headgate.domain.audit import Action, Actor
from headgate.domain.budget import spent_in
from headgate.domain.durations import parse_duration
from headgate.engine import audit, breakers, plan_use
from headgate.engine.acts import workspace_act
from headgate.engine.context import Context
from headgate.engine.control.cancellation import cancel_run
from headgate.engine.plan_use import PlanUse
from headgate.engine.starting.starter import Starter
from headgate.engine.types import Effects, RecordedWorkspace, WorkspaceRecord, WorkspaceUsage
from headgate.store import credentials, open_runs, workflows, workspaces


class Workspaces:
    """The workspaces. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later."""

    def __init__(self, context: Context, starter: Starter) -> None:
        self._context = context
        self._starter = starter

    async def sync(self, record: WorkspaceRecord) -> UUID:
        """Record a workspace under its active name, and return its id. Writes nothing when nothing changed.

        What it uses moves along with it to another pot, or to limits of its own. Runs that wait may have room
        afterwards: ``start_pending`` starts them.
        """
        settings = _settings(record)
        now = self._context.now()
        async with self._context.database.system() as tx:
            known = await workspaces.find(tx, record.name)
            if known is not None and (known.settings, known.suspended, known.pot) == (
                settings,
                record.suspended,
                record.pot,
            ):
                return known.id
            workspace_id = await workspaces.put(
                tx, self._context.new_id(now), record.name, suspended=record.suspended, settings=settings, now=now
            )
            await workspaces.move_to_pot(tx, workspace_id, record.pot, now)
            action = Action.WORKSPACE_CREATE if known is None else Action.WORKSPACE_CHANGE
            act = workspace_act(action, record.name, _changes(known, record, settings))
            await audit.record(tx, workspace_id, now, act)
            return workspace_id

    async def id_of(self, name: str) -> UUID | None:
        """The id of the active workspace of that name, or None when none is recorded."""
        async with self._context.database.system() as tx:
            known = await workspaces.find(tx, name)
        return None if known is None else known.id

    async def recorded(self, names: Sequence[str]) -> tuple[RecordedWorkspace, ...]:
        """The active workspaces of these names, by name; one that is not recorded is left out. One query."""
        async with self._context.database.system() as tx:
            rows = await workspaces.named(tx, names)
        return tuple(RecordedWorkspace(row.id, row.name, row.suspended) for row in rows)

    async def usage(self) -> tuple[WorkspaceUsage, ...]:
        """What every active workspace uses right now. One query, however many there are."""
        now = self._context.now()
        async with self._context.database.system() as tx:
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
                breaker=breakers.view(row.breaker, now),
            )
            for row in rows
        )

    async def usage_of(self, workspace_id: UUID) -> PlanUse | None:
        """What the workspace uses of its plan right now, or None where it was retired. One query."""
        return await plan_use.of_workspace(self._context, workspace_id)

    async def running_runs(self, name: str) -> int:
        """How many runs of the workspace of that name are under way; none where there is no such workspace."""
        async with self._context.database.system() as tx:
            known = await workspaces.find(tx, name)
            return 0 if known is None else await workspaces.running(tx, known.id)

    async def reset_breaker(self, workspace_id: UUID, token: str, by: Actor | None = None) -> Effects:
        """Close the workspace's circuit breaker, once for every new token. Runs that wait for it may start then."""
        effects = await breakers.reset_breaker(self._context, workspace_id, token, by)
        return await self._starter.and_start(effects, workspace_id) if effects.breakers else effects

    async def suspend(self, name: str) -> None:
        """Let no run of the workspace of that name start, for as long as it is not recorded otherwise.

        Nothing happens where there is no such workspace.
        """
        async with self._context.database.system() as tx:
            known = await workspaces.find(tx, name)
            if known is not None and not known.suspended:
                await workspaces.suspend(tx, known.id)
                act = workspace_act(Action.WORKSPACE_CHANGE, name, {"suspended": [False, True]})
                await audit.record(tx, known.id, self._context.now(), act)

    async def retire(self, name: str) -> Effects:
        """End a workspace for good: its runs are cancelled, and its name is free for a new one. History stays.

        Its credentials are deleted, with the keys that they lie under. Several transactions, of which the one that
        frees the name is the last: a crash in between leaves a workspace in which nothing starts, and of which this
        finishes the rest when it is called again.
        """
        context = self._context
        await self.suspend(name)
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
