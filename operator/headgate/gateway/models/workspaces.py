"""A workspace and what it uses, as the API gives them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from headgate.api.circuit_breaker import BreakerState
from headgate.api.members import Role
from headgate.domain.api_keys import Scope
from headgate.engine.plan_use import PlanUse
from headgate.engine.types import RecordedWorkspace
from headgate.gateway.callers import Caller
from headgate.gateway.models.analytics import MeasuredUse, Money, measured_of
from headgate.gateway.models.base import ApiModel


class WhoAmI(ApiModel):
    """Who calls."""

    subject: str
    """A user as Kubernetes names it, or ``apikey:`` and the id of a key."""
    role: Role
    """The caller's role in the workspace."""
    scopes: tuple[Scope, ...]
    """What the caller may do."""


class WorkspaceInfo(ApiModel):
    """A workspace."""

    id: UUID
    """Unique for ever, while a name may be used again."""
    name: str
    """Its name."""
    suspended: bool
    """Whether no run starts."""
    caller: WhoAmI
    """Who calls."""


class WorkspaceItem(ApiModel):
    """A workspace in a list."""

    id: UUID
    """Unique for ever, while a name may be used again."""
    name: str
    """Its name."""
    suspended: bool
    """Whether no run starts."""
    role: Role
    """The caller's role in it."""


class WorkspaceList(ApiModel):
    """A page of workspaces, by name."""

    items: tuple[WorkspaceItem, ...]
    """The workspaces."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


class LimitUse(ApiModel):
    """One limit and what is used of it."""

    name: str
    """As the Quota names it."""
    used: int
    """What the workspace uses."""
    limit: int
    """What may be used."""
    used_together: int | None
    """What all workspaces use that have the limit together; null where it is the workspace's own."""


class CircuitBreaker(ApiModel):
    """Whether failures hold new runs back."""

    state: BreakerState
    """Closed lets all start, Open none, HalfOpen a few."""
    failures: int
    """Failed runs that count right now."""
    retry_at: datetime | None
    """When runs are tried again; null while it is closed."""


class Usage(ApiModel):
    """What a workspace uses of its plan right now."""

    shared: bool
    """Whether several workspaces have the limits together."""
    running_runs: int
    """Runs under way; those that run in the place of their caller count for no limit."""
    pending_runs: int
    """Runs that wait to start."""
    limits: tuple[LimitUse, ...]
    """The limits that Headgate counts. Compute is counted by Kubernetes, in the Workspace's status."""
    spent_this_month: Money
    """What the attempts cost that ended since the month of UTC began."""
    budget: Money | None
    """What may be spent in a month; null for any amount."""
    used_this_month: MeasuredUse | None
    """What these attempts used of what they requested; null, and never nothing, where nothing was measured."""
    circuit_breaker: CircuitBreaker
    """Whether failures hold new runs back."""


def workspace_of(use: PlanUse, caller: Caller) -> WorkspaceInfo:
    """The workspace as the API gives it."""
    who = WhoAmI(subject=caller.subject, role=caller.role, scopes=tuple(sorted(caller.scopes)))
    return WorkspaceInfo(id=use.workspace_id, name=use.name, suspended=use.suspended, caller=who)


def item_of(recorded: RecordedWorkspace, role: Role) -> WorkspaceItem:
    """The workspace as a list has it."""
    return WorkspaceItem(id=recorded.workspace_id, name=recorded.name, suspended=recorded.suspended, role=role)


def usage_of(use: PlanUse) -> Usage:
    """What is used as the API gives it."""
    breaker = use.breaker
    return Usage(
        shared=use.shared,
        running_runs=use.running,
        pending_runs=use.pending,
        limits=tuple(
            LimitUse(name=item.name, used=item.used, limit=item.limit, used_together=item.used_together)
            for item in use.limits
        ),
        spent_this_month=use.spent,
        budget=use.budget,
        used_this_month=measured_of(use.use),
        circuit_breaker=CircuitBreaker(state=breaker.state, failures=breaker.failures, retry_at=breaker.retry_at),
    )
