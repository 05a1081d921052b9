"""What an approval waits for, and what a decision on it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.api.flow import Approval
from headgate.api.workflow_run import Decision
from headgate.domain.task import Outcome, Waiting

APPROVAL = "Approval"
NOT_ALLOWED = "NotAllowed"
REJECTED = "Rejected"
TIMEOUT = "Timeout"

_NAMED = 5
"""Users that a message names at most."""


def waiting(approval: Approval, run: UUID, node: str, until: datetime | None) -> Waiting:
    """What an approval that nobody decided waits for, and how to decide it.

    It says both ways: a run is made by a WorkflowRun, which is where people decide then, or without one.
    """
    who = _who(approval.users) if approval.users else "somebody who may change runs"
    how = f"in spec.approvals of its WorkflowRun, or where it has none by headgate approve {run} {node}"
    return Waiting(APPROVAL, f"{approval.message or 'waits for a decision'} (by {who}: {how})", node, until)


def refusal(approval: Approval, node: str, by: str, until: datetime | None) -> Waiting | None:
    """What the approval waits for after a decision by somebody who may not decide; None where they may."""
    if not approval.users or by in approval.users:
        return None
    return Waiting(NOT_ALLOWED, f"{by} may not decide this; {_who(approval.users)} may", node, until)


def outcome(decision: Decision) -> Outcome:
    """How the attempt ends by a decision."""
    given = {"approved": decision.approved, "by": decision.by, "comment": decision.comment}
    if decision.approved:
        return Outcome(succeeded=True, output=given)
    why = f": {decision.comment}" if decision.comment else ""
    return Outcome(succeeded=False, output=given, reason=REJECTED, message=f"rejected by {decision.by}{why}")


def overdue() -> Outcome:
    """How the attempt ends where nobody decides in time."""
    return Outcome(succeeded=False, reason=TIMEOUT, message="nobody decided within the node's timeout")


def approval_of(work: Mapping[str, Any]) -> Approval:
    """The approval that a task asks for."""
    return Approval.model_validate(work["approval"])


def _who(users: Iterable[str]) -> str:
    first, *others = users
    shown = [first, *others][:_NAMED]
    more = len(others) + 1 - len(shown)
    return ", ".join(shown) + (f" and {more} others" if more else "")
