"""Quota: a plan that many workspaces refer to."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from headgate.api.base import CustomResource, KubeModel, PrinterColumn, ResourceKind, Status
from headgate.api.scalars import Quantity


class Limits(KubeModel):
    """What a workspace may use of Headgate itself. Counted by Headgate, apart from compute."""

    max_workflows: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Workflow objects at most; enforced by the API server through a ResourceQuota."""
    max_executions_per_day: Annotated[int, Field(ge=0, le=100_000_000)] = 10_000
    """Runs admitted in one UTC day at most."""
    max_storage_mb: Annotated[int, Field(ge=0, le=1_000_000_000, alias="maxStorageMB")] = 10_000
    """Megabytes (10^6 bytes) of outputs, logs and artifacts at most."""
    max_api_calls_per_hour: Annotated[int, Field(ge=0, le=1_000_000_000)] = 5_000
    """Calls to the Headgate API in one hour at most."""
    max_concurrent_runs: Annotated[int, Field(ge=0, le=100_000)] = 50
    """Runs under way at the same time at most; further runs wait."""


class ContainerDefaults(KubeModel):
    """Requests and limits of containers that say nothing, in the terms of a LimitRange."""

    default: dict[str, Quantity] = Field(default_factory=lambda: {"cpu": "500m", "memory": "512Mi"}, max_length=16)
    """Limits of a container that sets none."""
    default_request: dict[str, Quantity] = Field(
        default_factory=lambda: {"cpu": "100m", "memory": "128Mi"}, max_length=16
    )
    """Requests of a container that sets none."""
    max: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """Limits that no container may exceed."""
    min: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """Requests that no container may go below."""


class QuotaSpec(KubeModel):
    """The plan."""

    limits: Limits = Field(default_factory=Limits)
    """What a workspace may use of Headgate itself."""
    compute: dict[str, Quantity] = Field(default_factory=dict, max_length=64)
    """Amounts for the workspace's namespaces in the terms of a ResourceQuota, such as ``requests.cpu`` or ``pods``."""
    container_defaults: ContainerDefaults = Field(default_factory=ContainerDefaults)
    """Requests and limits of containers that say nothing."""


class QuotaStatus(Status):
    """Who uses the plan."""

    workspaces: Annotated[int, Field(ge=0)] | None = None
    """How many Workspaces refer to this Quota."""


class Quota(CustomResource):
    """A plan that many Workspaces refer to: limits on workflows and runs, compute, and defaults for containers."""

    resource: ClassVar[ResourceKind] = ResourceKind(
        kind="Quota",
        plural="quotas",
        short_name="hq",
        scope="Cluster",
        columns=(
            PrinterColumn(
                "Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether the plan can be used"
            ),
            PrinterColumn("Workspaces", ".status.workspaces", "integer", "How many Workspaces refer to it"),
            PrinterColumn("Runs/Day", ".spec.limits.maxExecutionsPerDay", "integer", "Runs admitted a day at most"),
            PrinterColumn("Concurrent", ".spec.limits.maxConcurrentRuns", "integer", "Runs at the same time at most"),
            PrinterColumn("Age", ".metadata.creationTimestamp", "date", "Time since creation"),
        ),
    )

    spec: QuotaSpec = Field(default_factory=QuotaSpec)
    """The plan."""
    status: QuotaStatus = Field(default_factory=QuotaStatus)
    """Who uses the plan; written by the operator."""
