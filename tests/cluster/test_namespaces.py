"""The namespaces of a Workspace on a real cluster: shares, adoption, and what becomes of those that leave the spec."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from headgate.cluster.client import Object
from headgate.cluster.resources import PODS, QUOTAS, WORKSPACES
from headgate.desired.keys import CHILD_KINDS, NAMESPACE, RESOURCE_QUOTA
from tests.builders import WorkspaceBuilder, a_quota, a_workspace
from tests.support.cluster import Cluster, condition, is_ready, not_ready_because, unique

pytestmark = pytest.mark.usefixtures("operator")
CPU = "requests.cpu"


@pytest.fixture
async def name(cluster: Cluster) -> AsyncIterator[str]:
    """The name of a Workspace and of its Quota of 10 CPUs, both gone after the test."""
    name = unique("ns")
    await cluster.apply(a_quota(name).with_compute(**{CPU: "10", "limits.cpu": "20", "pods": "20"}))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def two(name: str, first: int, second: int) -> WorkspaceBuilder:
    """A Workspace with namespaces ``-a`` and ``-b`` of these shares."""
    return a_workspace(name).with_quota(name).with_namespace(f"{name}-a", first).with_namespace(f"{name}-b", second)


def a_pod(name: str, namespace: str, cpu: str, image: str) -> Object:
    """A pod that asks for so much CPU. Whether a node has that much does not matter: the quota counts it anyway."""
    security = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "main",
        "image": image,
        "command": ["sleep", "3600"],
        "securityContext": security,
        "resources": {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0},
    }


def gives(amount: str) -> Callable[[Object], bool]:
    """Whether a ResourceQuota gives so much CPU."""
    return lambda item: item["spec"]["hard"][CPU] == amount


async def test_shares_move_live_and_only_as_fast_as_others_let_go(cluster: Cluster, name: str) -> None:
    await cluster.ready_workspace(two(name, 60, 40))
    await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-a", gives("6"))
    await cluster.create(a_pod("busy", f"{name}-a", "5", cluster.image))

    await cluster.apply(two(name, 40, 60))

    await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-a", gives("4"))
    await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-b", gives("5"))
    waiting = await cluster.until(
        WORKSPACES, name, "", lambda item: condition(item, "Ready").get("reason") == "WaitingForShares"
    )
    assert f"namespace {name}-b gets 1 {CPU}" in condition(waiting, "Ready")["message"]

    await cluster.kube.delete(PODS, "busy", f"{name}-a")

    await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-b", gives("6"))
    await cluster.until(WORKSPACES, name, "", lambda item: condition(item, "Ready").get("reason") == "Reconciled")


async def test_a_namespace_is_added_and_gets_its_share_from_the_others(cluster: Cluster, name: str) -> None:
    await cluster.ready_workspace(a_workspace(name).with_quota(name).with_namespace(f"{name}-a"))
    await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-a", gives("10"))

    await cluster.ready_workspace(two(name, 70, 30))

    await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-a", gives("7"))
    await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-b", gives("3"))


async def test_a_namespace_that_leaves_the_spec_is_closed_and_opens_when_it_returns(
    cluster: Cluster, name: str
) -> None:
    await cluster.ready_workspace(two(name, 50, 50))

    await cluster.apply(a_workspace(name).with_quota(name).with_namespace(f"{name}-a"))

    closed = await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-b", gives("0"))
    assert set(closed["spec"]["hard"].values()) == {"0"}
    await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-a", gives("10"))
    said = await cluster.until(
        WORKSPACES, name, "", lambda item: f"{name}-b" in condition(item, "Ready").get("message", "")
    )
    assert condition(said, "Ready")["status"] == "True"

    await cluster.apply(two(name, 50, 50))

    await cluster.until(RESOURCE_QUOTA, "headgate", f"{name}-b", gives("5"))


async def test_with_policy_delete_a_namespace_that_leaves_the_spec_goes(cluster: Cluster, name: str) -> None:
    await cluster.ready_workspace(two(name, 50, 50).with_spec(deletionPolicy="Delete"))

    await cluster.apply(
        a_workspace(name).with_quota(name).with_namespace(f"{name}-a").with_spec(deletionPolicy="Delete")
    )

    await cluster.until_gone(NAMESPACE, f"{name}-b")
    assert await cluster.get(NAMESPACE, f"{name}-a") is not None


async def test_a_namespace_is_adopted_when_it_consents_and_let_go_as_it_came(cluster: Cluster, name: str) -> None:
    shop = f"{name}-shop"
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": shop, "labels": {"team": "theirs"}}}
    await cluster.kube.create(NAMESPACE, theirs)
    wanted = a_workspace(name).with_quota(name).with_namespace(name)
    adopting = wanted.with_value("spec.namespaces.+", {"name": shop, "adopt": True})
    try:
        await cluster.apply(adopting)
        said = await cluster.until(WORKSPACES, name, "", not_ready_because("NamespaceNotConsenting"))
        assert f"headgate.dev/adopt-by={name}" in condition(said, "Ready")["message"]

        await cluster.kube.merge_patch(
            NAMESPACE, shop, "", {"metadata": {"annotations": {"headgate.dev/adopt-by": name}}}
        )
        # A namespace of others is not watched: a change of the Workspace is what makes the operator look at once.
        await cluster.apply(adopting.with_spec(suspend=True))
        await cluster.until(WORKSPACES, name, "", is_ready)
        adopted = await cluster.kube.get(NAMESPACE, shop)
        assert adopted["metadata"]["labels"]["headgate.dev/workspace"] == name
        assert adopted["metadata"]["labels"]["team"] == "theirs"
        assert await cluster.get(RESOURCE_QUOTA, "headgate", shop) is not None

        await cluster.apply(wanted)

        let_go = await cluster.until(
            NAMESPACE, shop, "", lambda item: "headgate.dev/workspace" not in item["metadata"].get("labels", {})
        )
        assert let_go["metadata"]["labels"] == {"team": "theirs", "kubernetes.io/metadata.name": shop}
        for kind in CHILD_KINDS:
            if kind.namespaced and kind.kind != "ServiceAccount":
                assert await cluster.list(kind, shop, "app.kubernetes.io/managed-by=headgate") == []
    finally:
        await cluster.kube.delete(NAMESPACE, shop)


async def test_an_adopted_namespace_outlives_a_workspace_that_is_deleted_with_its_namespaces(
    cluster: Cluster, name: str
) -> None:
    shop = f"{name}-shop"
    metadata = {"name": shop, "annotations": {"headgate.dev/adopt-by": name}}
    await cluster.kube.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    adopting = a_workspace(name).with_quota(name).with_value("spec.namespaces", [{"name": shop, "adopt": True}])
    try:
        await cluster.ready_workspace(adopting.with_spec(deletionPolicy="Delete"))

        await cluster.kube.delete(WORKSPACES, name)

        await cluster.until_gone(WORKSPACES, name)
        left = await cluster.kube.get(NAMESPACE, shop)
        assert "deletionTimestamp" not in left["metadata"]
        assert "headgate.dev/workspace" not in left["metadata"].get("labels", {})
    finally:
        await cluster.kube.delete(NAMESPACE, shop)


async def test_a_plan_that_is_shared_is_divided_between_its_workspaces(cluster: Cluster, name: str) -> None:
    other = f"{name}-other"
    await cluster.apply(a_quota(name).with_compute(**{CPU: "10"}).with_spec(sharing="Shared"))
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    await cluster.until(RESOURCE_QUOTA, "headgate", name, gives("10"))
    try:
        await cluster.apply(a_workspace(other).with_spec(quotaRef={"name": name, "share": 70}))

        await cluster.until(RESOURCE_QUOTA, "headgate", other, gives("7"))
        await cluster.until(RESOURCE_QUOTA, "headgate", name, gives("3"))

        await cluster.kube.delete(WORKSPACES, other)
        await cluster.until(RESOURCE_QUOTA, "headgate", name, gives("10"))
    finally:
        await cluster.remove(workspaces=(other,))


async def test_what_is_used_is_told_in_the_status_of_workspace_and_quota(cluster: Cluster, name: str) -> None:
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    await cluster.create(a_pod("busy", name, "5", cluster.image))

    def used(item: Object) -> bool:
        uses = {use["name"]: use for use in item.get("status", {}).get("usage", ())}
        return bool(uses.get(CPU, {}).get("used") == "5" and uses["pods"]["used"] == "1")

    told = await cluster.until(WORKSPACES, name, "", used)
    assert next(use for use in told["status"]["usage"] if use["name"] == CPU)["limit"] == "10"
    await cluster.until(QUOTAS, name, "", used)


async def test_a_limit_lowered_below_use_ends_nothing_and_is_visible(cluster: Cluster, name: str) -> None:
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    await cluster.create(a_pod("busy", name, "5", cluster.image))

    await cluster.apply(a_quota(name).with_compute(**{CPU: "2", "limits.cpu": "20", "pods": "20"}))

    over = await cluster.until(
        WORKSPACES, name, "", lambda item: condition(item, "WithinLimits").get("status") == "False"
    )
    assert f"{CPU} 5 of 2" in condition(over, "WithinLimits")["message"]
    assert condition(over, "Ready")["status"] == "True"
    assert "deletionTimestamp" not in (await cluster.kube.get(PODS, "busy", name))["metadata"]
