"""What a reconciliation of a Workspace came across, and the first thing in it that is in the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headgate.desired.inventory import Inventory
from headgate.desired.plan import Plan
from headgate.domain.problems import problems_of_quota, problems_of_workspace
from headgate.domain.reasons import Reason

if TYPE_CHECKING:
    from decimal import Decimal

    from headgate.api.circuit_breaker import CircuitBreakerStatus
    from headgate.api.quota import Quota
    from headgate.api.usage import Use
    from headgate.api.workspace import Workspace
    from headgate.desired.allotment import Amounts


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
    spent: Decimal | None = None
    """What was spent this month; None where it is not known."""
    history: History | None = None
    """None where it was not asked for: what was known of it stays."""
    inventory: Inventory | None = None
    """The workspace's namespaces; None where nothing could be planned."""
    short: Mapping[str, Amounts] = field(default_factory=dict)
    """What namespaces are to have beyond their present limits, by namespace, once others have let go of it."""
    usage: tuple[Use, ...] | None = None
    """What is used of the limits; None where it is not known: what was known stays."""
    active_runs: int | None = None
    """Runs that have not ended; likewise."""
    breaker: CircuitBreakerStatus | None = None
    """The circuit breaker; likewise."""


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


def is_merely_uncounted(workspace: Workspace, seen: Seen) -> bool:
    """Whether nothing is in the way but that the cluster does not count everything yet."""
    found = obstacle(workspace, seen)
    return found is not None and found.reason is Reason.QUOTA_NOT_COUNTED


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
