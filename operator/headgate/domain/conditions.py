"""Conditions in the form of kstatus: Ready, Reconciling and Stalled, which never contradict each other.

Ready is True when everything is as the spec says, False when something is in the way, and Unknown while work goes on.
Reconciling is True when it may become Ready by itself; Stalled is True when it will not, until somebody changes
something. All three are always there, so that a tool can wait for any value of any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.api.base import Condition, ConditionStatus

if TYPE_CHECKING:
    from datetime import datetime

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"

_LONGEST_MESSAGE = 2048

Conditions = tuple[Condition, ...]


def ready(before: Conditions, reason: str, message: str, generation: int, now: datetime) -> Conditions:
    """The conditions of an object that is as its spec says."""
    return _settled(before, ConditionStatus.TRUE, None, reason, message, generation, now)


def reconciling(before: Conditions, reason: str, message: str, generation: int, now: datetime) -> Conditions:
    """The conditions of an object on which work goes on, with nothing in the way."""
    return _settled(before, ConditionStatus.UNKNOWN, RECONCILING, reason, message, generation, now)


def not_ready(
    before: Conditions, reason: str, message: str, generation: int, now: datetime, *, stalled: bool
) -> Conditions:
    """The conditions of an object with something in the way; ``stalled`` when waiting will not help."""
    return _settled(
        before, ConditionStatus.FALSE, STALLED if stalled else RECONCILING, reason, message, generation, now
    )


def update(
    before: Conditions,
    kind: str,
    status: ConditionStatus,
    reason: str,
    message: str,
    generation: int,
    now: datetime,
) -> Conditions:
    """The conditions with that one set, the others and their order kept.

    Its time stays when its status does. Times are in whole seconds, as Kubernetes keeps them; messages of more than
    2048 characters are cut.
    """
    known = next((condition for condition in before if condition.type == kind), None)
    since = known.last_transition_time if known is not None and known.status is status else now.replace(microsecond=0)
    condition = Condition(
        type=kind,
        status=status,
        observed_generation=generation,
        last_transition_time=since,
        reason=reason,
        message=message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…",
    )
    if known is None:
        return (*before, condition)
    return tuple(condition if other is known else other for other in before)


def find(conditions: Conditions, kind: str) -> Condition | None:
    """The condition of that type."""
    return next((condition for condition in conditions if condition.type == kind), None)


def _settled(
    before: Conditions,
    status: ConditionStatus,
    true: str | None,
    reason: str,
    message: str,
    generation: int,
    now: datetime,
) -> Conditions:
    after = update(before, READY, status, reason, message, generation, now)
    for kind in (RECONCILING, STALLED):
        holds = kind == true
        after = update(
            after,
            kind,
            ConditionStatus.TRUE if holds else ConditionStatus.FALSE,
            reason,
            message if holds else "",
            generation,
            now,
        )
    return after
