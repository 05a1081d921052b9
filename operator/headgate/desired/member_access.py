"""What members may read outside of their namespaces: their own Workspace, its Quota, and their Namespaces.

These are cluster-scoped, so that a RoleBinding cannot grant them. The ClusterRole names the very objects, and the
operator may create it without ``escalate``, as it may read all of them itself. Both are owned by the Workspace, so that
Kubernetes removes them with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.api.base import API_VERSION, GROUP
from headgate.desired.keys import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ChildKind
from headgate.desired.manifest import Manifest, child
from headgate.desired.role_bindings import distinct_subjects

if TYPE_CHECKING:
    from headgate.api.workspace import Workspace

PREFIX = "headgate:workspace:"
"""The names of these roles begin so; the operator may write no other ClusterRole."""
_READ = ["get", "list", "watch"]


def member_access(workspace: Workspace, namespaces: tuple[str, ...]) -> tuple[Manifest, ...]:
    """The ClusterRole and its binding; none where the workspace has no members."""
    subjects = distinct_subjects(workspace.spec.members)
    if not subjects:
        return ()
    name = f"{PREFIX}{workspace.metadata.name}"
    rules = [
        _may_read(GROUP, "workspaces", [workspace.metadata.name]),
        _may_read(GROUP, "quotas", [workspace.spec.quota_ref.name]),
        _may_read("", "namespaces", list(namespaces)),
    ]
    role_ref = {"apiGroup": CLUSTER_ROLE.group, "kind": CLUSTER_ROLE.kind, "name": name}
    return (
        _owned(CLUSTER_ROLE, name, workspace, rules=rules),
        _owned(CLUSTER_ROLE_BINDING, name, workspace, roleRef=role_ref, subjects=subjects),
    )


def _may_read(group: str, resource: str, names: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "resourceNames": names, "verbs": _READ}


def _owned(kind: ChildKind, name: str, workspace: Workspace, **sections: Any) -> Manifest:
    owner = {
        "apiVersion": API_VERSION,
        "kind": workspace.resource.kind,
        "name": workspace.metadata.name,
        "uid": workspace.metadata.uid,
    }
    return child(kind, name=name, workspace=workspace.metadata.name, owner=owner, **sections)
