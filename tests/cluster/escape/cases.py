"""What a case is: something that a tenant tries, why it must fail, and what must succeed beside it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.escape.requests import Request
from tests.cluster.escape.stage import Stage


def policy(name: str) -> str:
    """What a denial by that policy says."""
    return f"ValidatingAdmissionPolicy 'headgate-{name}'"


RBAC = "cannot "
"""What a denial by RBAC says; the verb and the resource follow."""
ESCALATION = "attempting to grant RBAC permissions not currently held"
POD_SECURITY = 'violates PodSecurity "restricted:latest"'


@dataclass(frozen=True)
class Case:
    """One try."""

    id: str
    attempt: Request
    denied_by: str
    """Text that the denial must hold; of several, separated by ``|``, one."""
    control: Request
    """The harmless variant, which must be admitted."""
    who: str = "owner"
    control_who: str = ""
    """Who is admitted; the same when empty."""


def judge(case: Case, stage: Stage) -> None:
    """Fails unless the try is denied for its reason, and the control is admitted."""
    answer = stage.identity(case.who).tries(case.attempt)
    assert answer.status in (403, 422), f"{answer.status}: {answer.message[:1000]}"
    assert any(text in answer.message for text in case.denied_by.split("|")), answer.message
    control = stage.identity(case.control_who or case.who).tries(case.control)
    assert control.admitted, f"the control was refused: {control.status} {control.message[:1000]}"
