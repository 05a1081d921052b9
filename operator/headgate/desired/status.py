"""What a reconciliation came across, and the status that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headgate.api.base import ConditionStatus
from headgate.api.quota import Quota, QuotaStatus
from headgate.api.workspace import NamespaceStatus, Workspace, WorkspaceStatus
from headgate.desired.plan import Plan
from headgate.domain.conditions import not_ready, ready, update
from headgate.domain.problems import problems_of_quota, problems_of_workspace
from headgate.domain.reasons import Reason

if TYPE_CHECKING:
    from datetime import datetime

HISTORY_READY = "HistoryReady"
"""Type of the condition that says whether runs can be started and recorded: false while Postgres is away."""


@dataclass(frozen=True)
class Failure:
    """A write that did not succeed."""

    message: str
    """What the API server said, for people."""
    refused: bool
    """Whether it understood and refused, so that the same again would fail the same way."""


@dataclass(frozen=True)
class History:
    """How the workspace's history in Postgres is doing."""

    available: bool
    message: str = "runs are recorded in Postgres"
    workspace_id: str | None = None
    """The id of the workspace in Postgres; None keeps the one that is known."""


@dataclass(frozen=True)
class Seen:
    """What a reconciliation of a Workspace came across."""

    quota: Quota | None
    """The Quota that the Workspace refers to; None where there is none, or none that can be read."""
    quota_error: str = ""
    """Why the Quota that exists cannot be read."""
    plan: Plan = field(default_factory=Plan)
    """What was carried out."""
    uids: Mapping[str, str] = field(default_factory=dict)
    """The uid of every namespace that exists and is the workspace's, by name."""
    uncounted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the cluster does not count yet of a namespace's ResourceQuota, and so refuses, by namespace."""
    failure: Failure | None = None
    """Why the plan could not be carried out in full."""
    history: History | None = None
    """None where it was not asked for: what was known of it stays."""


@dataclass(frozen=True)
class Obstacle:
    """What keeps a Workspace from being Ready."""

    reason: Reason
    message: str
    stalled: bool
    """Whether waiting will not help."""


def obstacle(workspace: Workspace, seen: Seen) -> Obstacle | None:
    """The first thing that is in the way, or None.

    With nothing but the quota seen, it tells whether children can be built at all.
    """
    return next((found for check in _CHECKS if (found := check(workspace, seen)) is not None), None)


def workspace_status(workspace: Workspace, seen: Seen, now: datetime) -> WorkspaceStatus:
    """The Workspace's status: equal to the one before where nothing has changed, whatever the time."""
    generation = workspace.metadata.generation
    conditions = workspace.status.conditions
    found = obstacle(workspace, seen)
    if found is None:
        conditions = ready(conditions, *_fine(workspace, seen), generation, now)
    else:
        conditions = not_ready(conditions, found.reason, found.message, generation, now, stalled=found.stalled)
    workspace_id = workspace.status.workspace_id
    if seen.history is not None:
        status, reason = (
            (ConditionStatus.TRUE, Reason.RECONCILED)
            if seen.history.available
            else (ConditionStatus.FALSE, Reason.DATABASE_UNAVAILABLE)
        )
        conditions = update(conditions, HISTORY_READY, status, reason, seen.history.message, generation, now)
        workspace_id = seen.history.workspace_id or workspace_id
    return WorkspaceStatus(
        observed_generation=generation,
        conditions=conditions,
        workspace_id=workspace_id,
        namespaces=_namespaces(workspace, seen, everything=found is None),
    )


def quota_status(quota: Quota, workspaces: int, now: datetime) -> QuotaStatus:
    """The Quota's status, given how many Workspaces refer to it."""
    generation, before = quota.metadata.generation, quota.status.conditions
    problems = problems_of_quota(quota)
    if problems:
        conditions = not_ready(before, Reason.INVALID_SPEC, "; ".join(problems), generation, now, stalled=True)
    else:
        conditions = ready(before, Reason.RECONCILED, "the plan can be used", generation, now)
    return QuotaStatus(observed_generation=generation, conditions=conditions, workspaces=workspaces)


def _invalid(workspace: Workspace, _: Seen) -> Obstacle | None:
    problems = problems_of_workspace(workspace)
    return Obstacle(Reason.INVALID_SPEC, "; ".join(problems), stalled=True) if problems else None


def _without_quota(workspace: Workspace, seen: Seen) -> Obstacle | None:
    if seen.quota is not None or seen.quota_error:
        return None
    name = workspace.spec.quota_ref.name
    message = f"Quota {name} does not exist: create it, or set spec.quotaRef.name to one that does"
    return Obstacle(Reason.QUOTA_NOT_FOUND, message, stalled=True)


def _unusable_quota(workspace: Workspace, seen: Seen) -> Obstacle | None:
    problems = seen.quota_error if seen.quota is None else "; ".join(problems_of_quota(seen.quota))
    if not problems:
        return None
    return Obstacle(Reason.QUOTA_INVALID, f"Quota {workspace.spec.quota_ref.name} is invalid: {problems}", stalled=True)


def _contested(_: Workspace, seen: Seen) -> Obstacle | None:
    conflicts = seen.plan.conflicts
    if not conflicts:
        return None
    return Obstacle(conflicts[0].reason, " ".join(conflict.message for conflict in conflicts), stalled=True)


def _terminating(_: Workspace, seen: Seen) -> Obstacle | None:
    if not seen.plan.terminating:
        return None
    message = f"namespace {', '.join(seen.plan.terminating)} is being deleted, and is made anew afterwards"
    return Obstacle(Reason.NAMESPACE_TERMINATING, message, stalled=False)


def _failed(_: Workspace, seen: Seen) -> Obstacle | None:
    if seen.failure is None:
        return None
    reason = Reason.APPLY_REFUSED if seen.failure.refused else Reason.APPLY_FAILED
    return Obstacle(reason, seen.failure.message, stalled=seen.failure.refused)


def _uncounted(_: Workspace, seen: Seen) -> Obstacle | None:
    if not seen.uncounted:
        return None
    name, amounts = next(iter(seen.uncounted.items()))
    message = f"namespace {name} is refused what its ResourceQuota limits until the cluster counts {', '.join(amounts)}"
    return Obstacle(Reason.QUOTA_NOT_COUNTED, message, stalled=False)


_CHECKS: tuple[Callable[[Workspace, Seen], Obstacle | None], ...] = (
    # What people have to put right comes first, in the order in which they can.
    _invalid,
    _without_quota,
    _unusable_quota,
    _contested,
    # Then what may pass by itself.
    _terminating,
    _failed,
    _uncounted,
)


def _fine(workspace: Workspace, seen: Seen) -> tuple[Reason, str]:
    orphans = ", ".join(orphan.key.name for orphan in seen.plan.orphaned_namespaces)
    note = f"; no longer in the spec, kept, and to be deleted by hand: {orphans}" if orphans else ""
    if workspace.spec.suspend:
        return Reason.SUSPENDED, f"no new run starts because spec.suspend is true{note}"
    return Reason.RECONCILED, f"everything is in place{note}"


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
