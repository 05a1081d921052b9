"""Workspaces and Quotas on a real cluster: their children, drift, and their end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.cluster.client import Object
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.keys import (
    LIMIT_RANGE,
    NAMESPACE,
    NETWORK_POLICY,
    RESOURCE_QUOTA,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
)
from tests.builders import a_quota, a_workspace
from tests.support.cluster import Cluster, condition, is_ready, not_ready_because, unique
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
async def name(cluster: Cluster) -> AsyncIterator[str]:
    """The name of a Workspace and of its Quota, both gone after the test."""
    name = unique("ws")
    await cluster.apply(a_quota(name).with_compute(**{"requests.cpu": "4", "pods": "20"}))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


async def test_a_workspace_gets_all_its_children(cluster: Cluster, name: str) -> None:
    await cluster.ready_workspace(a_workspace(name).with_quota(name).with_member("owner", "User", "alice"))

    namespace = await cluster.kube.get(NAMESPACE, name)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    quota = await cluster.kube.get(RESOURCE_QUOTA, "headgate", name)
    hard = quota["spec"]["hard"]
    assert quota["status"]["used"].keys() == hard.keys(), "Ready although the cluster refuses what it does not count"
    assert (hard["requests.cpu"], hard["pods"], hard["count/workflows.headgate.dev"]) == ("4", "20", "100")
    assert [item["metadata"]["name"] for item in await cluster.list(LIMIT_RANGE, name)] == ["headgate"]
    assert {p["metadata"]["name"] for p in await cluster.list(NETWORK_POLICY, name)} >= {
        "headgate-default-deny",
        "headgate-allow-dns",
    }
    assert (await cluster.kube.get(SERVICE_ACCOUNT, "headgate-run", name))["automountServiceAccountToken"] is False
    assert (await cluster.kube.get(SERVICE_ACCOUNT, "default", name))["automountServiceAccountToken"] is False
    binding = (await cluster.list(ROLE_BINDING, name))[0]
    assert binding["roleRef"]["name"] == "headgate-owner"
    assert binding["subjects"] == [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice"}]


async def test_what_others_change_or_delete_comes_back(cluster: Cluster, name: str) -> None:
    await cluster.ready_workspace(a_workspace(name).with_quota(name))

    await cluster.kube.merge_patch(
        RESOURCE_QUOTA, "headgate", name, {"spec": {"hard": {"pods": "9999", "count/podtemplates": "1"}}}
    )
    await cluster.kube.delete(NETWORK_POLICY, "headgate-default-deny", name)
    await cluster.kube.merge_patch(
        LIMIT_RANGE, "headgate", name, {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
    )

    def as_wanted(item: Object) -> bool:
        return item["spec"]["hard"]["pods"] == "20" and "count/podtemplates" not in item["spec"]["hard"]

    await cluster.until(RESOURCE_QUOTA, "headgate", name, as_wanted)
    await cluster.until(NETWORK_POLICY, "headgate-default-deny", name, lambda item: item["spec"]["podSelector"] == {})
    await cluster.until(
        LIMIT_RANGE, "headgate", name, lambda item: "app.kubernetes.io/managed-by" in item["metadata"]["labels"]
    )


async def test_children_that_are_no_longer_wanted_are_pruned(cluster: Cluster, name: str) -> None:
    open_to_docs = a_workspace(name).with_quota(name).with_egress("203.0.113.0/24").with_member("viewer", "User", "eve")
    await cluster.ready_workspace(open_to_docs)
    assert await cluster.get(NETWORK_POLICY, "headgate-declared", name) is not None

    await cluster.ready_workspace(a_workspace(name).with_quota(name))

    await cluster.until_gone(NETWORK_POLICY, "headgate-declared", name)
    await cluster.until_gone(ROLE_BINDING, "headgate-viewer", name)


async def test_a_quota_reaches_every_workspace_that_refers_to_it(cluster: Cluster, name: str) -> None:
    other = f"{name}-b"
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    await cluster.ready_workspace(a_workspace(other).with_quota(name))
    try:
        await cluster.apply(a_quota(name).with_compute(**{"requests.cpu": "6", "pods": "20"}))

        for workspace in (name, other):
            await cluster.until(
                RESOURCE_QUOTA, "headgate", workspace, lambda item: item["spec"]["hard"]["requests.cpu"] == "6"
            )
        await cluster.until(QUOTAS, name, "", lambda item: item["status"].get("workspaces") == 2)
    finally:
        await cluster.remove(workspaces=(other,))


async def test_an_unknown_quota_is_a_reason_and_creating_it_mends_it(cluster: Cluster, name: str) -> None:
    await cluster.apply(a_workspace(name).with_quota(f"{name}-late"))
    waiting = await cluster.until(WORKSPACES, name, "", not_ready_because("QuotaNotFound"))
    assert condition(waiting, "Stalled")["status"] == "True"
    assert f"Quota {name}-late does not exist" in condition(waiting, "Ready")["message"]

    await cluster.apply(a_quota(f"{name}-late"))

    await cluster.until(WORKSPACES, name, "", is_ready)
    await cluster.remove(quotas=(f"{name}-late",))


async def test_a_namespace_of_somebody_else_is_left_alone(cluster: Cluster, name: str) -> None:
    await cluster.kube.create(
        NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "theirs"}}}
    )
    try:
        await cluster.apply(a_workspace(name).with_quota(name))

        await cluster.until(WORKSPACES, name, "", not_ready_because("NamespaceNotOwned"))
        theirs = await cluster.kube.get(NAMESPACE, name)
        assert theirs["metadata"]["labels"] == {"team": "theirs", "kubernetes.io/metadata.name": name}
        assert await cluster.list(RESOURCE_QUOTA, name) == []
    finally:
        await cluster.kube.delete(NAMESPACE, name)


async def test_retain_leaves_the_namespace_and_its_guards(cluster: Cluster, name: str) -> None:
    await cluster.ready_workspace(a_workspace(name).with_quota(name))

    await cluster.kube.delete(WORKSPACES, name)
    await cluster.until_gone(WORKSPACES, name)

    namespace = await cluster.kube.get(NAMESPACE, name)
    assert "deletionTimestamp" not in namespace["metadata"]
    assert await cluster.get(RESOURCE_QUOTA, "headgate", name) is not None


async def test_delete_removes_the_namespaces_before_the_workspace_goes(cluster: Cluster, name: str) -> None:
    doomed = a_workspace(name).with_quota(name).with_spec(deletionPolicy="Delete")
    await cluster.ready_workspace(doomed.with_namespace(f"{name}-x").with_namespace(f"{name}-y"))

    await cluster.kube.delete(WORKSPACES, name)

    await cluster.until_gone(WORKSPACES, name)
    for namespace in (f"{name}-x", f"{name}-y"):
        assert await cluster.get(NAMESPACE, namespace) is None


async def test_a_restart_over_unchanged_workspaces_writes_nothing(
    cluster: Cluster, name: str, operator: OperatorProcess
) -> None:
    await cluster.ready_workspace(a_workspace(name).with_quota(name).with_member("editor", "Group", "devs"))
    await cluster.until(QUOTAS, name, "", lambda item: item["status"].get("workspaces") == 1)
    # What is used is told of both a while later, or else by the operator that comes after.
    await cluster.until(WORKSPACES, name, "", lambda item: item["status"].get("usage"))
    await cluster.until(QUOTAS, name, "", lambda item: item["status"].get("usedBy"))

    async def nothing_goes() -> bool:
        return not [item for item in await cluster.list(NAMESPACE) if item["metadata"].get("deletionTimestamp")]

    # What was deleted before takes its Workflows with it: a list may hold them still.
    await eventually(nothing_goes, every=0.5, what="the end of all namespaces that were deleted")
    operator.stop()

    operator.start().wait_until_leading()

    async def looked_at_everything() -> bool:
        found = operator.metrics()
        return (
            found["headgate_reconcile_queue_depth"] == 0
            and f'headgate_runs{{state="running",workspace="{name}"}}' in found
            and any(value > 0 for key, value in found.items() if key.startswith("headgate_reconcile_seconds_count"))
        )

    await eventually(looked_at_everything)
    # Of what other tests delete at the same time a status may be written that finds nothing.
    assert {write for write in operator.writes() if 'code="404"' not in write} == set()
