"""Quota: a plan that many workspaces refer to."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from headgate.api.base import CustomResource, KubeModel, PrinterColumn, ResourceKind, Status
from headgate.api.rules import ListMap, Rule
from headgate.api.scalars import EXTENDED_RESOURCE, HUGE_PAGES, NOT_NEGATIVE, ContainerAmounts, Quantity
from headgate.api.usage import Use, WorkspaceUse

_COUNTED = (
    *("pods", "services", "services.loadbalancers", "services.nodeports", "secrets", "configmaps"),
    *("persistentvolumeclaims", "replicationcontrollers", "resourcequotas"),
)
_COMPUTE = (
    *("cpu", "memory", "ephemeral-storage"),
    *("requests.cpu", "requests.memory", "requests.ephemeral-storage", "requests.storage"),
    *("limits.cpu", "limits.memory", "limits.ephemeral-storage"),
)
_COMPUTE_PATTERN = "".join(
    (
        "^(",
        "|".join(name.replace(".", r"\.") for name in (*_COMPUTE, *_COUNTED)),
        rf"|(requests\.)?{HUGE_PAGES}",
        rf"|requests\.{EXTENDED_RESOURCE}",
        r"|count/[a-z0-9]([-a-z0-9.]*[a-z0-9])?",
        r"|[a-z0-9][-a-z0-9.]*\.storageclass\.storage\.k8s\.io/(requests\.storage|persistentvolumeclaims)",
        ")$",
    )
)
_COMPUTE_EXAMPLES = (
    "use the names of a ResourceQuota, such as requests.cpu, limits.memory, requests.storage, pods or count/jobs.batch"
)


def _whole_number(name: str) -> Rule:
    amount = f"string(self['{name}'])"
    return Rule(
        cel=f"!('{name}' in self) || !isQuantity({amount}) || quantity({amount}).isInteger()",
        message=f"write a whole number for {name}",
    )


_COMPUTE_RULES = (
    NOT_NEGATIVE,
    Rule(
        cel=f"self.all(k, k.matches(r'{_COMPUTE_PATTERN}'))",
        message=_COMPUTE_EXAMPLES,
        message_cel=f"""'a ResourceQuota has no ' + self.filter(k, !k.matches(r'{_COMPUTE_PATTERN}'))[0]
            + '; {_COMPUTE_EXAMPLES}'""",
    ),
    Rule(
        cel="!('count/workflows.headgate.dev' in self)",
        message="set limits.maxWorkflows instead of count/workflows.headgate.dev",
    ),
    *(_whole_number(name) for name in _COUNTED),
)


class Limits(KubeModel):
    """What a workspace may use of Headgate itself. Counted by Headgate, apart from compute."""

    max_workflows: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Workflow objects at most; enforced by the API server through a ResourceQuota."""
    max_executions_per_day: Annotated[int, Field(ge=0, le=100_000_000)] = 10_000
    """Runs admitted in one UTC day at most."""
    max_storage_mb: Annotated[int, Field(ge=0, le=1_000_000_000, alias="maxStorageMB")] = 10_000
    """Megabytes (10^6 bytes) of inputs, outputs, logs and whatever else is kept of runs, at most."""
    max_api_calls_per_hour: Annotated[int, Field(ge=0, le=1_000_000_000)] = 5_000
    """Calls to the Headgate API in one hour at most."""
    max_concurrent_runs: Annotated[int, Field(ge=0, le=100_000)] = 50
    """Runs under way at the same time at most. One of the runs that a run called runs in its place at a time.
    ``onExceeded`` says what becomes of further ones."""


_ORDERED = (
    ("min", "defaultRequest"),
    ("min", "default"),
    ("min", "max"),
    ("defaultRequest", "default"),
    ("defaultRequest", "max"),
    ("default", "max"),
)
"""Amounts of which the first may not be above the second, as a LimitRange has it."""
_COMPARED = ("cpu", "memory", "ephemeral-storage")


def _in_order(lesser: str, greater: str) -> Rule:
    """The rule that one amount is not above the other, for resources for which both are given."""

    def fits(name: str) -> str:
        texts = [f"string(self.{side}['{name}'])" for side in (lesser, greater)]
        both = " && ".join(f"'{name}' in self.{side}" for side in (lesser, greater))
        valid = " && ".join(f"isQuantity({text})" for text in texts)
        return f"(!({both}) || !({valid}) || quantity({texts[0]}).compareTo(quantity({texts[1]})) <= 0)"

    return Rule(
        cel=f"!has(self.{lesser}) || !has(self.{greater}) || ({' && '.join(map(fits, _COMPARED))})",
        message=f"lower {lesser} or raise {greater}: {lesser} may not be above {greater} for cpu, memory or "
        "ephemeral-storage",
    )


class ContainerDefaults(KubeModel):
    """Requests and limits of containers that say nothing, in the terms of a LimitRange."""

    rules: ClassVar[tuple[Rule, ...]] = tuple(_in_order(*pair) for pair in _ORDERED)

    default: ContainerAmounts = Field(default_factory=lambda: {"cpu": "500m", "memory": "512Mi"})
    """Limits of a container that sets none."""
    default_request: ContainerAmounts = Field(default_factory=lambda: {"cpu": "100m", "memory": "128Mi"})
    """Requests of a container that sets none."""
    max: ContainerAmounts = Field(default_factory=dict)
    """Limits that no container may exceed."""
    min: ContainerAmounts = Field(default_factory=dict)
    """Requests that no container may go below."""


class Sharing(StrEnum):
    """To whom a plan's amounts belong."""

    PER_WORKSPACE = "PerWorkspace"
    SHARED = "Shared"


class OnExceeded(StrEnum):
    """What becomes of a run for which there is no room."""

    QUEUE = "Queue"
    REJECT = "Reject"


class QuotaSpec(KubeModel):
    """The plan."""

    limits: Limits = Field(default_factory=Limits)
    """What a workspace may use of Headgate itself."""
    compute: Annotated[dict[str, Quantity], Field(max_length=64), *_COMPUTE_RULES] = Field(default_factory=dict)
    """Amounts for the workspace's namespaces in the terms of a ResourceQuota, such as ``requests.cpu`` or ``pods``."""
    container_defaults: ContainerDefaults = Field(default_factory=ContainerDefaults)
    """Requests and limits of containers that say nothing."""
    sharing: Sharing = Sharing.PER_WORKSPACE
    """PerWorkspace gives every Workspace all of it. Shared gives it to all together: runs, storage and calls of the API
    are counted in one pot, and what the API server enforces is divided by ``quotaRef.share``."""
    on_exceeded: OnExceeded = OnExceeded.QUEUE
    """Queue lets a run wait until there is room for it. Reject refuses it, and says when it may succeed."""
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    """How many attempts of a Workspace on this plan are started for one of a Workspace of weight 1, when both wait."""


class QuotaStatus(Status):
    """Who uses the plan, and how much."""

    workspaces: Annotated[int, Field(ge=0)] | None = None
    """How many Workspaces refer to this Quota."""
    usage: Annotated[tuple[Use, ...], Field(max_length=128), ListMap("name")] = ()
    """What all of them use together, at most 30 seconds ago; the limit is that of all together when it is Shared."""
    used_by: Annotated[tuple[WorkspaceUse, ...], Field(max_length=20), ListMap("workspace")] = ()
    """The twenty Workspaces that run the most today, at most 30 seconds ago."""


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
            PrinterColumn("Sharing", ".spec.sharing", description="Whether each has it all, or all together"),
            PrinterColumn("Runs/Day", ".spec.limits.maxExecutionsPerDay", "integer", "Runs admitted a day at most"),
            PrinterColumn("Concurrent", ".spec.limits.maxConcurrentRuns", "integer", "Runs at the same time at most"),
            PrinterColumn("Age", ".metadata.creationTimestamp", "date", "Time since creation"),
        ),
    )

    spec: QuotaSpec = Field(default_factory=QuotaSpec)
    """The plan."""
    status: QuotaStatus = Field(default_factory=QuotaStatus)
    """Who uses the plan; written by the operator."""
