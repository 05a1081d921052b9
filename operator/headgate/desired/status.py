"""The status that follows from what a reconciliation came across."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.api.base import ConditionStatus
from headgate.api.budget import OnBudgetExceeded
from headgate.api.circuit_breaker import BreakerState
from headgate.api.quota import Quota, QuotaStatus
from headgate.api.workspace import NamespaceStatus, Workspace, WorkspaceStatus
from headgate.desired.obstacles import Seen, obstacle
from headgate.domain.budget import BudgetState, state
from headgate.domain.conditions import Conditions, not_ready, ready, update
from headgate.domain.problems import problems_of_quota, problems_of_workspace
from headgate.domain.reasons import Reason
from headgate.domain.usage import beyond

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from headgate.api.budget import Budget
    from headgate.api.circuit_breaker import CircuitBreakerStatus
    from headgate.api.usage import Use, WorkspaceUse

HISTORY_READY = "HistoryReady"
"""Type of the condition that says whether runs can be started and recorded: false while Postgres is away."""
CIRCUIT_CLOSED = "CircuitClosed"
"""Type of the condition that says whether new runs start: false while the circuit breaker holds them back."""
WITHIN_BUDGET = "WithinBudget"
"""Type of the condition that is false once the month's budget is spent; there only where there is a budget."""
LEGAL_HOLD = "LegalHold"
"""Type of the condition that is true, and there, while nothing of the workspace is archived or deleted."""
WITHIN_LIMITS = "WithinLimits"
"""Type of the condition that is false while more is used than a limit allows that was lowered meanwhile."""
PAUSED = "Paused"
"""Type of the condition that is there while the operator touches nothing of the Workspace."""

_SHOWN = 3


def workspace_status(workspace: Workspace, seen: Seen, now: datetime) -> WorkspaceStatus:
    """The Workspace's status: equal to the one before where nothing has changed, whatever the time."""
    generation, before = workspace.metadata.generation, workspace.status
    found = obstacle(workspace, seen)
    conditions = tuple(condition for condition in before.conditions if condition.type != PAUSED)
    if found is None:
        conditions = ready(conditions, *_fine(workspace, seen), generation, now)
    else:
        conditions = not_ready(conditions, found.reason, found.message, generation, now, stalled=found.stalled)
    workspace_id = before.workspace_id
    if seen.history is not None:
        status, reason = (
            (ConditionStatus.TRUE, Reason.RECONCILED)
            if seen.history.available
            else (ConditionStatus.FALSE, Reason.DATABASE_UNAVAILABLE)
        )
        conditions = update(conditions, HISTORY_READY, status, reason, seen.history.message, generation, now)
        workspace_id = seen.history.workspace_id or workspace_id
    if seen.breaker is not None:
        conditions = _with_breaker(conditions, seen.breaker, generation, now)
    if workspace.spec.budget is None:
        conditions = tuple(condition for condition in conditions if condition.type != WITHIN_BUDGET)
    elif seen.spent is not None:
        conditions = with_budget(conditions, workspace.spec.budget, seen.spent, generation, now)
    conditions = _with_hold(conditions, generation, now, held=workspace.spec.retention.legal_hold)
    if seen.usage is not None:
        conditions = _with_limits(conditions, seen.usage, generation, now)
    return WorkspaceStatus(
        observed_generation=generation,
        conditions=conditions,
        workspace_id=workspace_id,
        namespaces=_namespaces(workspace, seen, everything=found is None),
        active_runs=before.active_runs if seen.active_runs is None else seen.active_runs,
        usage=before.usage if seen.usage is None else seen.usage,
        circuit_breaker=before.circuit_breaker if seen.breaker is None else seen.breaker,
    )


def paused_status(workspace: Workspace, now: datetime) -> WorkspaceStatus:
    """The status of a Workspace of which nothing is touched: what it was, and that it is paused."""
    message = "nothing of it is touched because of the annotation headgate.dev/paused"
    generation = workspace.metadata.generation
    conditions = update(
        workspace.status.conditions, PAUSED, ConditionStatus.TRUE, Reason.PAUSED, message, generation, now
    )
    return workspace.status.model_copy(update={"conditions": conditions})


def ending_status(workspace: Workspace, active_runs: int, now: datetime) -> WorkspaceStatus:
    """The status of a Workspace that is being deleted, and of which runs are under way."""
    message = (
        f"{active_runs} runs have not ended: it goes when they have, or when they are cancelled; "
        "the annotation headgate.dev/force-delete=true cancels all of them"
    )
    generation = workspace.metadata.generation
    conditions = not_ready(workspace.status.conditions, Reason.RUNS_UNDER_WAY, message, generation, now, stalled=False)
    return workspace.status.model_copy(update={"conditions": conditions, "active_runs": active_runs})


def quota_status(
    quota: Quota,
    workspaces: int,
    usage: tuple[Use, ...] | None,
    used_by: tuple[WorkspaceUse, ...] | None,
    now: datetime,
) -> QuotaStatus:
    """The Quota's status, given how many Workspaces refer to it and what they use; None keeps what was known."""
    generation, before = quota.metadata.generation, quota.status
    problems = problems_of_quota(quota)
    if problems:
        conditions = not_ready(
            before.conditions, Reason.INVALID_SPEC, "; ".join(problems), generation, now, stalled=True
        )
    else:
        conditions = ready(before.conditions, Reason.RECONCILED, "the plan can be used", generation, now)
    return QuotaStatus(
        observed_generation=generation,
        conditions=conditions,
        workspaces=workspaces,
        usage=before.usage if usage is None else usage,
        used_by=before.used_by if used_by is None else used_by,
    )


def _fine(workspace: Workspace, seen: Seen) -> tuple[Reason, str]:
    notes = []
    if seen.inventory is not None and seen.inventory.kept:
        notes.append(f"no longer in the spec, closed, and to be deleted by hand: {', '.join(seen.inventory.kept)}")
    notes += [
        f"namespace {namespace} gets {_listed(f'{amount} {name}' for name, amount in sorted(missing.items()))} more "
        "once others use less"
        for namespace, missing in sorted(seen.short.items())
    ]
    said = "".join(f"; {note}" for note in notes)
    if workspace.spec.suspend:
        return Reason.SUSPENDED, f"no new run starts because spec.suspend is true{said}"
    if seen.short:
        return Reason.WAITING_FOR_SHARES, f"everything is in place{said}"
    return Reason.RECONCILED, f"everything is in place{said}"


def _with_breaker(conditions: Conditions, breaker: CircuitBreakerStatus, generation: int, now: datetime) -> Conditions:
    if breaker.state is BreakerState.CLOSED:
        message = "new runs start"
        return update(conditions, CIRCUIT_CLOSED, ConditionStatus.TRUE, Reason.CIRCUIT_CLOSED, message, generation, now)
    if breaker.state is BreakerState.OPEN:
        again = f"are tried again from {breaker.retry_at:%Y-%m-%dT%H:%M:%SZ}" if breaker.retry_at else "wait"
        message = f"new runs {again}, because too many failed"
    else:
        message = "a few runs are tried, the others wait, because too many failed"
    message += "; a new value of the annotation headgate.dev/reset-circuit-breaker lets all start at once"
    return update(conditions, CIRCUIT_CLOSED, ConditionStatus.FALSE, Reason.CIRCUIT_OPEN, message, generation, now)


def with_budget(conditions: Conditions, budget: Budget, spent: Decimal, generation: int, now: datetime) -> Conditions:
    """The conditions with that of the budget. Its message tells no amount that grows: it would be written for ever."""
    far, status, reason = state(budget, spent), ConditionStatus.TRUE, Reason.WITHIN_BUDGET
    message = f"less than {budget.warn_at} percent of the month's budget of {budget.monthly} is spent"
    if far is BudgetState.WARNING:
        reason = Reason.BUDGET_WARNING
        message = f"{budget.warn_at} percent of the month's budget of {budget.monthly} is spent, or more"
    elif far is BudgetState.EXCEEDED:
        status, reason = ConditionStatus.FALSE, Reason.BUDGET_EXCEEDED
        stops = budget.on_exceeded is OnBudgetExceeded.STOP
        then = "no run starts until the month ends, unless spec.budget.monthly is raised" if stops else "runs go on"
        message = f"the month's budget of {budget.monthly} is spent: {then}"
    return update(conditions, WITHIN_BUDGET, status, reason, message, generation, now)


def _with_hold(conditions: Conditions, generation: int, now: datetime, *, held: bool) -> Conditions:
    if not held:
        return tuple(condition for condition in conditions if condition.type != LEGAL_HOLD)
    message = "nothing of it is moved to the archive or deleted because of spec.retention.legalHold"
    return update(conditions, LEGAL_HOLD, ConditionStatus.TRUE, Reason.LEGAL_HOLD, message, generation, now)


def _with_limits(conditions: Conditions, usage: tuple[Use, ...], generation: int, now: datetime) -> Conditions:
    over = beyond(usage)
    if not over:
        return update(
            conditions,
            WITHIN_LIMITS,
            ConditionStatus.TRUE,
            Reason.WITHIN_LIMITS,
            "no more is used than is allowed",
            generation,
            now,
        )
    message = "more is used than a lowered limit allows, and nothing new can be: " + _listed(
        f"{use.name} {use.used} of {use.limit}" for use in over
    )
    return update(conditions, WITHIN_LIMITS, ConditionStatus.FALSE, Reason.OVER_LIMIT, message, generation, now)


def _listed(words: Iterable[str]) -> str:
    """A few of the words, and how many there are besides."""
    listed = list(words)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def _namespaces(workspace: Workspace, seen: Seen, *, everything: bool) -> tuple[NamespaceStatus, ...]:
    if problems_of_workspace(workspace):
        return workspace.status.namespaces
    planned = seen.quota is not None and seen.failure is None
    closed = {conflict.namespace for conflict in seen.plan.conflicts} | set(seen.plan.terminating)
    return tuple(
        NamespaceStatus(
            name=wanted.name,
            uid=seen.uids.get(wanted.name, ""),
            ready=everything or (planned and wanted.name in seen.uids and wanted.name not in closed),
        )
        for wanted in workspace.namespaces
    )
