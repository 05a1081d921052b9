"""Why runs wait, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WAITING_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "Suspended": "the workspace is suspended: set spec.suspend of the Workspace to false",
        "WorkflowSuspended": "the workflow is suspended: set spec.suspend of the Workflow to false",
        "DailyLimit": "as many runs have started today as maxExecutionsPerDay of the quota allows",
        "ConcurrencyLimit": "as many runs are under way as maxConcurrentRuns of the quota allows",
        "StorageLimit": "the records of the workspace's runs take as much as maxStorageMB of the quota allows",
        "CircuitOpen": "too many runs failed, and the circuit breaker holds new ones back; look at the failed ones, or "
        "let all start by a new value of the Workspace's annotation headgate.dev/reset-circuit-breaker",
        "Queued": "older runs of the workspace start first",
    }
)
"""By reason."""
