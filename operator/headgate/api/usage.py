"""What is used of a limit, as a status tells it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.scalars import DnsSubdomain, Quantity


class Use(KubeModel):
    """One limit and what is used of it."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """The limit, as the Quota names it: ``maxConcurrentRuns``, or a resource such as ``requests.cpu``."""
    used: Quantity
    """What is used."""
    limit: Quantity | None = None
    """The limit that is in force; absent where several have a limit of their own."""


class WorkspaceUse(KubeModel):
    """What one Workspace uses of a plan."""

    workspace: DnsSubdomain
    """Name of the Workspace."""
    active_runs: Annotated[int, Field(ge=0)]
    """Runs that have not ended."""
    executions_today: Annotated[int, Field(ge=0)]
    """Runs that started since midnight UTC."""
    storage_mb: Annotated[int, Field(ge=0, alias="storageMB")]
    """Megabytes (10^6 bytes) that its records take, rounded up."""
