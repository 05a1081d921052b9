"""Every child that is deleted or changed by hand comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from headgate.cluster.client import Object
from headgate.desired.keys import CHILD_KINDS, NAMESPACE, ChildKind
from tests.builders import a_quota, a_workspace
from tests.support.cluster import Cluster, unique

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture(scope="module")
def name() -> str:
    """The Workspace of this module."""
    return unique("drift")


@pytest.fixture
async def workspace(cluster: Cluster, name: str) -> AsyncIterator[str]:
    """A Workspace with children of every kind."""
    await cluster.apply(a_quota(name))
    rich = a_workspace(name).with_quota(name).with_egress("203.0.113.0/24")
    for role in ("owner", "editor", "viewer"):
        rich = rich.with_member(role, "User", f"{role}-of-{name}")
    await cluster.ready_workspace(rich)
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


async def children(cluster: Cluster, kind: ChildKind, workspace: str) -> dict[str, Object]:
    """The children of that kind, by name."""
    labels = f"app.kubernetes.io/managed-by=headgate,headgate.dev/workspace={workspace}"
    return {item["metadata"]["name"]: item for item in await cluster.list(kind, "", labels)}


def made_anew(item: Object) -> Callable[[Object], bool]:
    """Whether an object is another one of the same name."""
    return lambda back: back["metadata"]["uid"] != item["metadata"]["uid"]


def as_it_was(item: Object, sections: tuple[str, ...]) -> Callable[[Object], bool]:
    """Whether these sections of an object are as they were."""
    return lambda back: all(back[section] == item[section] for section in sections)


async def test_all_children_that_are_deleted_come_back(cluster: Cluster, workspace: str) -> None:
    for kind in CHILD_KINDS:
        if kind is NAMESPACE:
            continue
        for child, item in (await children(cluster, kind, workspace)).items():
            namespace = item["metadata"].get("namespace", "")
            await cluster.kube.delete(kind, child, namespace)
            await cluster.until(kind, child, namespace, made_anew(item))


async def test_all_children_whose_labels_are_taken_away_get_them_back(cluster: Cluster, workspace: str) -> None:
    for kind in CHILD_KINDS:
        for child, item in (await children(cluster, kind, workspace)).items():
            namespace = item["metadata"].get("namespace", "")
            stripped = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
            await cluster.kube.merge_patch(kind, child, namespace, stripped)
            await cluster.until(
                kind,
                child,
                namespace,
                lambda back: back["metadata"]["labels"].get("app.kubernetes.io/managed-by") == "headgate",
            )


async def test_what_is_added_to_a_section_of_ours_is_taken_out_again(cluster: Cluster, workspace: str) -> None:
    additions: dict[str, Object] = {
        "ResourceQuota": {"spec": {"hard": {"count/podtemplates": "1"}}},
        "LimitRange": {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "9"}}]}},
        "NetworkPolicy": {"spec": {"egress": [{}], "policyTypes": ["Egress"]}},
        "RoleBinding": {"subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}]},
        "ClusterRole": {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]},
        "ClusterRoleBinding": {"subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}]},
    }
    for kind in CHILD_KINDS:
        if kind.kind not in additions:
            continue
        for child, item in (await children(cluster, kind, workspace)).items():
            namespace = item["metadata"].get("namespace", "")
            await cluster.kube.merge_patch(kind, child, namespace, additions[kind.kind])
            await cluster.until(kind, child, namespace, as_it_was(item, kind.exclusive))
