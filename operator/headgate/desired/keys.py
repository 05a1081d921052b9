"""How objects are told apart, and which kinds of children a Workspace has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, order=True)
class ObjectKey:
    """Names one object of the cluster, whatever the version of its API."""

    group: str
    """API group; empty for the core group."""
    kind: str
    """Kind, such as ``NetworkPolicy``."""
    namespace: str
    """Namespace; empty for a cluster-scoped object."""
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


@dataclass(frozen=True)
class ApiResource:
    """A kind as the API server serves it."""

    group: str
    """API group; empty for the core group."""
    version: str
    kind: str
    plural: str
    """The name in paths and in roles."""
    namespaced: bool

    @property
    def api_version(self) -> str:
        """``group/version``, or ``version`` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def key(self, name: str, namespace: str = "") -> ObjectKey:
        """The key of an object of this kind."""
        return ObjectKey(self.group, self.kind, namespace, name)


@dataclass(frozen=True)
class ChildKind(ApiResource):
    """A kind of which Workspaces have children."""

    exclusive: tuple[str, ...] = ()
    """Top-level sections that are Headgate's alone: nothing may be in them that Headgate did not put there."""
    immutable: tuple[str, ...] = ()
    """Top-level sections that can only be changed by deleting the object and making it anew."""


_RBAC = "rbac.authorization.k8s.io"

NAMESPACE = ChildKind("", "v1", "Namespace", "namespaces", namespaced=False)
RESOURCE_QUOTA = ChildKind("", "v1", "ResourceQuota", "resourcequotas", namespaced=True, exclusive=("spec",))
LIMIT_RANGE = ChildKind("", "v1", "LimitRange", "limitranges", namespaced=True, exclusive=("spec",))
SERVICE_ACCOUNT = ChildKind("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)
NETWORK_POLICY = ChildKind(
    "networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", namespaced=True, exclusive=("spec",)
)
ROLE_BINDING = ChildKind(
    _RBAC,
    "v1",
    "RoleBinding",
    "rolebindings",
    namespaced=True,
    exclusive=("roleRef", "subjects"),
    immutable=("roleRef",),
)

CLUSTER_ROLE = ChildKind(_RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False, exclusive=("rules",))
CLUSTER_ROLE_BINDING = ChildKind(
    _RBAC,
    "v1",
    "ClusterRoleBinding",
    "clusterrolebindings",
    namespaced=False,
    exclusive=("roleRef", "subjects"),
    immutable=("roleRef",),
)

DEPLOYMENT = ChildKind("apps", "v1", "Deployment", "deployments", namespaced=True)

CHILD_KINDS: tuple[ChildKind, ...] = (
    NAMESPACE,
    NETWORK_POLICY,
    RESOURCE_QUOTA,
    LIMIT_RANGE,
    SERVICE_ACCOUNT,
    DEPLOYMENT,
    ROLE_BINDING,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
)
"""Every kind of child, in the order in which they are applied: members get in when all that limits them is in place."""

_BY_GROUP_KIND: Mapping[tuple[str, str], ChildKind] = {(kind.group, kind.kind): kind for kind in CHILD_KINDS}


def child_kind(group: str, kind: str) -> ChildKind | None:
    """The kind of child of that name, or None where Workspaces have no such children."""
    return _BY_GROUP_KIND.get((group, kind))


def key_of(manifest: Mapping[str, Any]) -> ObjectKey:
    """The key of a manifest or live object, which must hold ``apiVersion``, ``kind`` and ``metadata.name``.

    Items of a list that the API server returns hold neither apiVersion nor kind: use `ApiResource.key` for them.
    """
    group, _, _ = manifest["apiVersion"].rpartition("/")
    metadata = manifest["metadata"]
    return ObjectKey(group, manifest["kind"], metadata.get("namespace") or "", metadata["name"])
