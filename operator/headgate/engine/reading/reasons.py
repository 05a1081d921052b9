"""Why runs wait, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

WAITING_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "Suspended": "the workspace is suspended: set spec.suspend of the Workspace to false",
        "WorkflowSuspended": "the workflow is suspended: set spec.suspend of the Workflow to false",
        "DailyLimit": "as many runs have started today as maxExecutionsPerDay of the quota allows",
        "Budget": "the budget of the month is spent: raise spec.budget.monthly of the Workspace for more",
        "ConcurrencyLimit": "as many runs are under way as maxConcurrentRuns of the quota allows",
        "StorageLimit": "maxStorageMB of the quota leaves no room for what the run is given: raise it, or have runs "
        "archived sooner (spec.retention of the Workspace)",
        "CircuitOpen": "too many runs failed, and the circuit breaker holds new ones back; look at the failed ones, or "
        "let all start by a new value of the Workspace's annotation headgate.dev/reset-circuit-breaker",
        "TestLimit": "five Test or Debug runs of the workspace are under way, and there are no more at a time",
        "Queued": "runs of the workspace that are older, or of a higher priority, start first",
    }
)
"""By reason."""


def waiting_for_mutex(mutex: str, holder: Mapping[str, Any] | None) -> str:
    """Who holds the mutex that a run waits for. ``holder`` has the holder's ``id`` and, as ``resource``, its name."""
    if holder is None:
        return f"the mutex {mutex!r} was held, and is free by now"
    name = f" (WorkflowRun {holder['resource']})" if holder["resource"] else ""
    return f"run {holder['id']}{name} of workflow {holder['workflow']} holds the mutex {mutex!r}"


def waiting_for_others(limit: int | None) -> str:
    """What a run waits for that its workflow's limit holds up."""
    return f"as many runs of the workflow are under way as its concurrency.limit allows: {limit}"


def waiting_for_room(unschedulable: str) -> str:
    """What an attempt without a pod waits for: others of the workspace have one, of which the scheduler says this."""
    return f"earlier pods of the workspace find no room on the nodes: {unschedulable}"


def waiting_for_called(called: Mapping[str, Any] | None) -> str:
    """Which run a node called, and what that one waits for. ``called`` has ``id``, ``workflow`` and ``reason``."""
    if called is None:
        return "the run that it calls has not been made yet"
    waits = f", which waits: {called['reason']}" if called["reason"] else ""
    return f"the end of run {called['id']} of workflow {called['workflow']}{waits}"


def waiting_for_approval(asks: str | None) -> str:
    """What a person is asked to decide."""
    how = "see spec.approvals of its WorkflowRun, or headgate approve where it has none"
    return f"a person has to approve: {asks or how}"
