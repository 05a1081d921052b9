"""Workspace: the tenant."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from headgate.api.base import CustomResource, KubeModel, PrinterColumn, ResourceKind, Status
from headgate.api.rules import ListMap, Rule, name_fits_label
from headgate.api.scalars import LABEL_MESSAGE, LABEL_PATTERN, SUBDOMAIN_PATTERN, DnsLabel, DnsSubdomain


class QuotaReference(KubeModel):
    """Names a Quota."""

    name: DnsSubdomain
    """Name of the Quota."""


RESERVED_MESSAGE = (
    "use another name: default, headgate, kube-... and headgate-... belong to the cluster and to Headgate"
)


def _is_reserved(name: str) -> str:
    """CEL that tells whether a namespace of this name is not for tenants."""
    return f"{name} in ['default', 'headgate'] || {name}.startsWith('kube-') || {name}.startsWith('headgate-')"


class NamespaceShare(KubeModel):
    """One namespace of the workspace."""

    name: Annotated[DnsLabel, Rule(cel=f"!({_is_reserved('self')})", message=RESERVED_MESSAGE)]
    """Name of the namespace. It must not exist already, unless it belongs to this Workspace."""
    share: Annotated[int, Field(ge=1, le=100)] | None = None
    """Percent of the workspace's compute that this namespace gets. Shares that are not given split the rest evenly."""


class Role(StrEnum):
    """What a member may do."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


class Subject(KubeModel):
    """Who a member is, in the terms of RBAC."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.kind != 'ServiceAccount' || has(self.__namespace__)",
            message="set the namespace of the ServiceAccount",
            reason="FieldValueRequired",
            at=".namespace",
        ),
        Rule(
            cel="self.kind == 'ServiceAccount' || !has(self.__namespace__)",
            message="remove namespace: only a ServiceAccount is in one",
            reason="FieldValueForbidden",
            at=".namespace",
        ),
        Rule(
            cel=f"self.kind != 'ServiceAccount' || self.name.matches(r'{SUBDOMAIN_PATTERN}')",
            message="write the name of the ServiceAccount alone, and its namespace as namespace",
            at=".name",
        ),
        Rule(
            cel="self.kind != 'User' || !self.name.startsWith('system:')",
            message="name a person: users that start with system: belong to the cluster; for a service account use "
            "kind ServiceAccount",
            at=".name",
        ),
        Rule(
            cel="self.kind != 'Group' || !self.name.startsWith('system:')",
            message="name a group of the tenant: groups that start with system: hold others, too; for service accounts "
            "use kind ServiceAccount",
            at=".name",
        ),
    )

    kind: Literal["User", "Group", "ServiceAccount"]
    """User, Group or ServiceAccount."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """Name of the user, group or service account."""
    namespace: DnsLabel | None = None
    """Namespace of the service account; required for a ServiceAccount and forbidden otherwise."""


class Member(KubeModel):
    """A person, group or machine with a role in the workspace."""

    role: Role
    """owner manages workflows, runs and workloads; editor writes workflows and runs; viewer reads."""
    subject: Subject
    """Who."""


class Port(KubeModel):
    """A port, or a range of ports."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.endPort) || self.endPort >= self.port",
            message="endPort ends the range that port begins: raise endPort or lower port",
        ),
    )

    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    """TCP, UDP or SCTP."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """The port, or the first of a range."""
    end_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """The last port of the range."""


Cidr = Annotated[
    str,
    StringConstraints(min_length=1, max_length=43),
    Rule(cel="isCIDR(self)", message="write a range of addresses such as 203.0.113.0/24 or 2001:db8::/32"),
    Rule(
        cel="!isCIDR(self) || cidr(self) == cidr(self).masked()",
        message="write the range by its first address, such as 203.0.113.0/24 for 203.0.113.7/24",
    ),
]
"""A range of IPv4 or IPv6 addresses, written by its first one."""

METADATA_NETWORKS = (
    *("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32"),
    "168.63.129.16/32",
)
"""Where clouds hand out the credentials of the machine: link-local addresses, and what some clouds use besides."""

_NO_METADATA = Rule(
    cel="self.all(r, !isCIDR(r.cidr) || !("
    + " || ".join(f"cidr('{network}').containsCIDR(r.cidr)" for network in METADATA_NETWORKS)
    + "))",
    message="remove the link-local or cloud metadata address: it gives out the credentials of the node, so it is never "
    "reachable",
)


class NetworkRule(KubeModel):
    """Connections that are allowed beyond the default deny."""

    cidr: Cidr
    """The other side's addresses, such as ``203.0.113.0/24``."""
    ports: Annotated[tuple[Port, ...], Field(max_length=32)] = ()
    """Allowed ports; all of them when empty."""


class Network(KubeModel):
    """What may be reached, and from where, beyond the default deny."""

    egress: Annotated[tuple[NetworkRule, ...], Field(max_length=64), _NO_METADATA] = ()
    """Destinations that pods of the workspace may connect to. The cloud metadata address is never among them."""
    ingress: Annotated[tuple[NetworkRule, ...], Field(max_length=64)] = ()
    """Sources that may connect to pods of the workspace."""


class PodSecurityLevel(StrEnum):
    """Levels of the Pod Security Standards that a workspace can have."""

    RESTRICTED = "restricted"
    BASELINE = "baseline"


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
    )

    spec: WorkspaceSpec
    """What the tenant gets."""
    status: WorkspaceStatus = Field(default_factory=WorkspaceStatus)
    """The tenant as it is; written by the operator."""

    @property
    def namespaces(self) -> tuple[NamespaceShare, ...]:
        """The namespaces wanted: those of the spec, or the one of the workspace's own name."""
        return self.spec.namespaces or (NamespaceShare(name=self.metadata.name, share=100),)
