"""Workspaces, Quotas, and a stand-in for what the API server makes of manifests."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from headgate.api.quota import Quota
from headgate.api.workspace import Workspace
from headgate.desired.context import ClusterFacts
from headgate.desired.keys import NAMESPACE, ObjectKey, key_of
from headgate.desired.manifest import Manifest
from headgate.desired.plan import Plan
from headgate.desired.workspace import children
from tests.support.patches import merged, patched

FACTS = ClusterFacts(operator_namespace="headgate-system", dns_addresses=("10.96.0.10", "fd00::a"))
Live = dict[ObjectKey, dict[str, Any]]


def a_workspace(name: str = "acme", **spec: Any) -> Workspace:
    """A Workspace on plan ``team``; ``spec`` in the form of the wire."""
    return Workspace.model_validate(
        {
            "metadata": {"name": name, "generation": 3, "uid": f"{name}-uid"},
            "spec": {"quotaRef": {"name": "team"}, **spec},
        }
    )


def a_quota(name: str = "team", **spec: Any) -> Quota:
    """A Quota with CPU and memory unless told otherwise; ``spec`` in the form of the wire."""
    compute = {"requests.cpu": "20", "requests.memory": "40Gi", "pods": "50"}
    return Quota.model_validate({"metadata": {"name": name, "generation": 2}, "spec": {"compute": compute, **spec}})


def a_member(role: str = "owner", kind: str = "User", name: str = "alice", **subject: str) -> dict[str, Any]:
    return {"role": role, "subject": {"kind": kind, "name": name, **subject}}


def children_of(workspace: Workspace, quota: Quota | None = None, facts: ClusterFacts = FACTS) -> dict[str, Manifest]:
    """The children by ``Kind namespace/name``."""
    return {str(key_of(item)): item for item in children(workspace, quota or a_quota(), facts)}


def applied(manifests: Iterable[Manifest], live: Mapping[ObjectKey, Mapping[str, Any]] | None = None) -> Live:
    """The cluster after the manifests were applied server-side with force, lists being atomic."""
    after: Live = {key: copy.deepcopy(dict(item)) for key, item in (live or {}).items()}
    for manifest in manifests:
        key = key_of(manifest)
        after[key] = merged(after[key], manifest) if key in after else _served(manifest)
    return after


def carried_out(plan: Plan, live: Mapping[ObjectKey, Mapping[str, Any]]) -> Live:
    """The cluster after the plan was carried out, in its order."""
    after = applied([*plan.create, *plan.add, *plan.apply], live)
    for replacement in plan.replace:
        del after[replacement.deletion.key]
        after = applied([replacement.manifest], after)
    for patch in plan.extras:
        after[patch.key] = patched(after[patch.key], patch.patch)
    for deletion in plan.prune:
        assert after[deletion.key]["metadata"]["uid"] == deletion.uid
        del after[deletion.key]
    return after


def _served(manifest: Manifest) -> dict[str, Any]:
    item = copy.deepcopy(manifest)
    item["metadata"] |= {
        "uid": f"uid-of-{key_of(manifest)}",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    if item["kind"] == NAMESPACE.kind:
        item["metadata"]["labels"]["kubernetes.io/metadata.name"] = item["metadata"]["name"]
        item |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    return item


_names = st.sampled_from(["acme", "acme-dev", "acme-prod", "acme-ci"])
_members = st.builds(
    a_member,
    st.sampled_from(["owner", "editor", "viewer"]),
    st.sampled_from(["User", "Group"]),
    st.sampled_from(["alice", "bob", "crew"]),
)
_rules = st.fixed_dictionaries(
    {"cidr": st.sampled_from(["0.0.0.0/0", "::/0", "10.1.2.3/8", "203.0.113.7", "169.254.169.254/32"])},
    optional={"ports": st.lists(st.fixed_dictionaries({"port": st.integers(1, 65535)}), max_size=2)},
)

workspaces = st.builds(
    a_workspace,
    namespaces=st.lists(_names, unique=True, max_size=3).map(lambda names: [{"name": name} for name in names]),
    members=st.lists(_members, max_size=4),
    network=st.fixed_dictionaries({"egress": st.lists(_rules, max_size=2), "ingress": st.lists(_rules, max_size=2)}),
)
"""Workspaces named acme of all shapes."""
