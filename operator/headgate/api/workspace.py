"""Workspace: the tenant."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from headgate.api.base import CustomResource, KubeModel, PrinterColumn, ResourceKind, Status
from headgate.api.budget import Budget
from headgate.api.circuit_breaker import CircuitBreaker, CircuitBreakerStatus
from headgate.api.members import Member, Role, Subject
from headgate.api.network import EgressRule, IngressRule, Network, Port
from headgate.api.placement import Exposure, Images, PodSecurityLevel, Residency, Scheduling, Storage
from headgate.api.retention import Retention
from headgate.api.rules import ListMap, Rule, name_fits_label
from headgate.api.runners import Runners
from headgate.api.scalars import LABEL_MESSAGE, LABEL_PATTERN, DnsLabel, DnsSubdomain
from headgate.api.usage import Use

__all__ = [
    "ADOPT_ANNOTATION",
    "BREAKER_RESET_ANNOTATION",
    "FORCE_DELETE_ANNOTATION",
    "PAUSED_ANNOTATION",
    "DeletionPolicy",
    "EgressRule",
    "IngressRule",
    "Member",
    "NamespaceShare",
    "NamespaceStatus",
    "Network",
    "PodSecurityLevel",
    "Port",
    "QuotaReference",
    "Role",
    "Subject",
    "Workspace",
    "WorkspaceSpec",
    "WorkspaceStatus",
]

PAUSED_ANNOTATION = "headgate.dev/paused"
"""On a Workspace, with the value ``true``: the operator touches nothing of it until the annotation is gone."""
FORCE_DELETE_ANNOTATION = "headgate.dev/force-delete"
"""On a Workspace, with the value ``true``: it may be deleted though runs are under way, which are cancelled."""
BREAKER_RESET_ANNOTATION = "headgate.dev/reset-circuit-breaker"
"""On a Workspace: every new value, such as a date, closes the circuit breaker once."""
ADOPT_ANNOTATION = "headgate.dev/adopt-by"
"""On a Namespace that exists already: the name of the Workspace that may take it over."""


class QuotaReference(KubeModel):
    """Names a Quota."""

    name: DnsSubdomain
    """Name of the Quota."""
    share: Annotated[int, Field(ge=1, le=100)] | None = None
    """Percent of a Quota with ``sharing: Shared`` that this workspace gets of what is divided: compute and counts.

    Workspaces that do not say split the rest evenly. Without meaning for a Quota that every workspace has to itself.
    """


RESERVED_MESSAGE = (
    "use another name: default, headgate, kube-... and headgate-... belong to the cluster and to Headgate"
)


def _is_reserved(name: str) -> str:
    """CEL that tells whether a namespace of this name is not for tenants."""
    return f"{name} in ['default', 'headgate'] || {name}.startsWith('kube-') || {name}.startsWith('headgate-')"


class NamespaceShare(KubeModel):
    """One namespace of the workspace."""

    name: Annotated[DnsLabel, Rule(cel=f"!({_is_reserved('self')})", message=RESERVED_MESSAGE)]
    """Name of the namespace. It must not exist already, unless it belongs to this Workspace or ``adopt`` is true."""
    share: Annotated[int, Field(ge=1, le=100)] | None = None
    """Percent of the workspace's compute that this namespace gets. Shares that are not given split the rest evenly."""
    adopt: bool = False
    """Whether a namespace that exists may be taken over. It has to consent, by the annotation ``headgate.dev/adopt-by``
    with the name of this Workspace, and belong to no other. It is never deleted with the Workspace, only let go."""


class DeletionPolicy(StrEnum):
    """What happens to the namespaces when the Workspace is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


_SHARES = (
    Rule(
        cel="""self.filter(n, has(n.share)).map(n, n.share).sum()
            + self.filter(n, !has(n.share)).size() <= 100""",
        message="lower the shares: together they may be 100 percent at most, with one percent at least left for every "
        "namespace without a share",
    ),
    Rule(
        cel="self.exists(n, !has(n.share)) || self.map(n, n.share).sum() >= 100 || self.size() == 0",
        message="raise the shares to 100 percent together, or leave one out: it gets the rest",
    ),
)


class WorkspaceSpec(KubeModel):
    """What the tenant gets."""

    rules: ClassVar[tuple[Rule, ...]] = tuple(
        Rule(
            cel=f"""!has(self.namespaces) || self.namespaces.size() == 0
                || !has(self.network) || !has(self.network.{direction})
                || self.network.{direction}.all(r, !has(r.namespace)
                || self.namespaces.exists(n, n.name == r.namespace))""",
            message="name a namespace that spec.namespaces lists: no other workspace's can be opened or reached",
            at=f".network.{direction}",
        )
        for direction in ("egress", "ingress")
    )

    quota_ref: QuotaReference
    """The plan that the workspace is on."""
    namespaces: Annotated[
        tuple[NamespaceShare, ...],
        Field(max_length=32),
        ListMap("name"),
        *_SHARES,
    ] = ()
    """The workspace's namespaces. When empty, it has one of its own name."""
    members: Annotated[tuple[Member, ...], Field(max_length=256)] = ()
    """Who may do what in the workspace."""
    network: Network = Field(default_factory=Network)
    """What may be reached beyond the default deny."""
    pod_security: PodSecurityLevel = PodSecurityLevel.RESTRICTED
    """Pod Security level that the namespaces enforce."""
    images: Images = Field(default_factory=Images)
    """Which images may be used."""
    scheduling: Scheduling = Field(default_factory=Scheduling)
    """Where pods run, and with what precedence."""
    storage: Storage = Field(default_factory=Storage)
    """Which volumes may be claimed."""
    exposure: Exposure = Field(default_factory=Exposure)
    """How services may be exposed to the outside."""
    residency: Residency = Field(default_factory=Residency)
    """Where data may be processed."""
    runners: Runners = Field(default_factory=Runners)
    """Runners that are kept warm."""
    circuit_breaker: CircuitBreaker = Field(default_factory=CircuitBreaker)
    """When new runs are held back because too many fail."""
    budget: Budget | None = None
    """What its runs may cost in a month; any amount when absent."""
    retention: Retention = Field(default_factory=Retention)
    """How long what happened is kept."""
    suspend: bool = False
    """When true no new run starts; runs under way go on to their end."""
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    """Whether the namespaces, and all that is in them, stay or go when the Workspace is deleted."""


class NamespaceStatus(KubeModel):
    """One namespace as it is."""

    name: DnsLabel
    """Name of the namespace."""
    uid: Annotated[str, StringConstraints(max_length=64)] = ""
    """Its uid, so that a namespace that was replaced is noticed."""
    ready: bool = False
    """Whether everything that belongs into it is there."""


class WorkspaceStatus(Status):
    """The tenant as it is."""

    workspace_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    """The id under which Postgres keeps the workspace's history."""
    namespaces: Annotated[
        tuple[NamespaceStatus, ...],
        Field(max_length=64),
        ListMap("name"),
    ] = ()
    """The namespaces as they are."""
    active_runs: Annotated[int, Field(ge=0)] | None = None
    """Runs that have not ended, at most 30 seconds ago. While there are any, deletion is refused unless forced."""
    usage: Annotated[tuple[Use, ...], Field(max_length=128), ListMap("name")] = ()
    """What is used of every limit, at most 30 seconds ago."""
    circuit_breaker: CircuitBreakerStatus | None = None
    """The circuit breaker as it is; absent while Postgres has not been asked."""


class Workspace(CustomResource):
    """A tenant: its namespaces with limits, network policies and members, on a plan."""

    resource: ClassVar[ResourceKind] = ResourceKind(
        kind="Workspace",
        plural="workspaces",
        short_name="hws",
        scope="Cluster",
        columns=(
            PrinterColumn(
                "Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether it can run workflows"
            ),
            PrinterColumn("Reason", '.status.conditions[?(@.type=="Ready")].reason', description="Why, in one word"),
            PrinterColumn("Quota", ".spec.quotaRef.name", description="The plan"),
            PrinterColumn("Suspended", ".spec.suspend", "boolean", "Whether new runs are held back"),
            PrinterColumn("Runs", ".status.activeRuns", "integer", "Runs that have not ended"),
            PrinterColumn(
                "Breaker", ".status.circuitBreaker.state", description="State of the circuit breaker", priority=1
            ),
            PrinterColumn(
                "Message",
                '.status.conditions[?(@.type=="Ready")].message',
                description="What to do about it",
                priority=1,
            ),
            PrinterColumn("Age", ".metadata.creationTimestamp", "date", "Time since creation"),
        ),
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        name_fits_label("Workspace"),
        Rule(
            cel=f"""has(self.spec.namespaces) && self.spec.namespaces.size() > 0
                || self.metadata.name.matches(r'{LABEL_PATTERN}')""",
            message=f"the namespace gets this name, as spec.namespaces is empty: {LABEL_MESSAGE}",
            at=".metadata.name",
        ),
        Rule(
            cel=f"""has(self.spec.namespaces) && self.spec.namespaces.size() > 0
                || !({_is_reserved("self.metadata.name")})""",
            message=f"the namespace gets this name, as spec.namespaces is empty: {RESERVED_MESSAGE}",
            at=".metadata.name",
        ),
        # Not `all`: the name is without a limit for the estimate of costs, and may be compared with a set but once.
        *(
            Rule(
                cel=f"""(has(self.spec.namespaces) && self.spec.namespaces.size() > 0)
                    || !has(self.spec.network) || !has(self.spec.network.{direction})
                    || sets.contains([self.metadata.name],
                        self.spec.network.{direction}.filter(r, has(r.namespace)).map(r, r.namespace))""",
                message="name the Workspace itself, which is its one namespace as spec.namespaces is empty",
                at=f".spec.network.{direction}",
            )
            for direction in ("egress", "ingress")
        ),
    )

    spec: WorkspaceSpec
    """What the tenant gets."""
    status: WorkspaceStatus = Field(default_factory=WorkspaceStatus)
    """The tenant as it is; written by the operator."""

    @property
    def namespaces(self) -> tuple[NamespaceShare, ...]:
        """The namespaces wanted: those of the spec, or the one of the workspace's own name."""
        return self.spec.namespaces or (NamespaceShare(name=self.metadata.name, share=100),)
