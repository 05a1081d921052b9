"""Pausing, deleting and making Workspaces again, on a real cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hack.kube import Kube
from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import WORKFLOW_RUNS, WORKSPACES
from headgate.desired.keys import LIMIT_RANGE, NAMESPACE, NETWORK_POLICY
from tests.builders import WorkspaceBuilder, a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, condition, is_ready, not_ready_because, unique
from tests.support.shell import lasting, shell
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("operator")
DENY = "headgate-default-deny"
GARBAGE_COLLECTOR = ("generic-garbage-collector", "system:serviceaccounts:kube-system")
"""Kubernetes' own, which admission lets pass: what it deletes, the finalizer alone holds up."""


@pytest.fixture
async def name(cluster: Cluster) -> AsyncIterator[str]:
    """The name of a Workspace and of its Quota, both gone after the test."""
    name = unique("life")
    await cluster.apply(a_quota(name))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def doomed(name: str) -> WorkspaceBuilder:
    """A Workspace that takes its namespace along."""
    return a_workspace(name).with_quota(name).with_spec(deletionPolicy="Delete")


async def requested(cluster: Cluster, workspace: str, seconds: int) -> None:
    """A run of a workflow that takes so long."""
    await cluster.apply(a_workflow("slow", workspace).with_node("wait", shell(cluster, lasting(seconds))))
    await cluster.apply(a_run("slow-1", workspace, "slow"))


async def started(cluster: Cluster, workspace: str, seconds: int) -> Object:
    """A run that is under way. Ask for long enough that its status says so: what ends before is told of once."""
    await requested(cluster, workspace, seconds)
    return await cluster.until(
        WORKFLOW_RUNS, "slow-1", workspace, lambda item: item.get("status", {}).get("phase") == "Running"
    )


async def collected(kube: Kube, workspace: str) -> None:
    """The Workspace is deleted by the garbage collector, whatever its status counts."""
    name, group = GARBAGE_COLLECTOR
    who = (f"--as=system:serviceaccount:kube-system:{name}", f"--as-group={group}", "--as-group=system:authenticated")
    await asyncio.to_thread(kube.kubectl, "delete", "workspace", workspace, "--wait=false", *who)


async def deleted_as_soon_as_admitted(cluster: Cluster, workspace: str) -> None:
    """The Workspace is deleted when its status counts no run any more, which may be half a minute after the last."""

    async def admitted() -> bool:
        try:
            await cluster.kube.delete(WORKSPACES, workspace)
        except ApiError as error:
            if not error.is_forbidden:
                raise
            return False
        return True

    await eventually(admitted, what=f"that Workspace {workspace} may be deleted")


async def test_nothing_of_a_paused_workspace_is_touched_until_it_goes_on(cluster: Cluster, name: str) -> None:
    await cluster.ready_workspace(a_workspace(name).with_quota(name))

    await cluster.annotate(WORKSPACES, name, {"headgate.dev/paused": "true"})
    await cluster.until(WORKSPACES, name, "", lambda item: condition(item, "Paused").get("status") == "True")
    await cluster.kube.delete(NETWORK_POLICY, DENY, name)
    # Another workspace's child that was deleted later is back: so the operator had the time to touch this one.
    other = f"{name}-other"
    await cluster.ready_workspace(a_workspace(other).with_quota(name))
    await cluster.kube.delete(LIMIT_RANGE, "headgate", other)
    await cluster.until(LIMIT_RANGE, "headgate", other, lambda _: True)
    assert await cluster.get(NETWORK_POLICY, DENY, name) is None

    await cluster.annotate(WORKSPACES, name, {"headgate.dev/paused": None})

    await cluster.until(NETWORK_POLICY, DENY, name, lambda _: True)
    await cluster.until(WORKSPACES, name, "", lambda item: is_ready(item) and not condition(item, "Paused"))
    await cluster.remove(workspaces=(other,))


async def test_a_workspace_whose_runs_are_under_way_is_not_deleted_unless_forced(
    cluster: Cluster, kube: Kube, name: str
) -> None:
    await cluster.ready_workspace(doomed(name))
    await started(cluster, name, seconds=600)

    await collected(kube, name)

    held = await cluster.until(WORKSPACES, name, "", not_ready_because("RunsUnderWay"))
    assert "headgate.dev/force-delete=true" in condition(held, "Ready")["message"]
    assert "deletionTimestamp" not in (await cluster.kube.get(NAMESPACE, name))["metadata"]

    await cluster.annotate(WORKSPACES, name, {"headgate.dev/force-delete": "true"})

    await cluster.until_gone(WORKSPACES, name)
    assert await cluster.get(NAMESPACE, name) is None


async def test_it_goes_by_itself_when_its_runs_have_ended(cluster: Cluster, kube: Kube, name: str) -> None:
    await cluster.ready_workspace(doomed(name))
    await started(cluster, name, seconds=600)

    await collected(kube, name)

    await cluster.until(WORKSPACES, name, "", not_ready_because("RunsUnderWay"))
    await cluster.kube.merge_patch(WORKFLOW_RUNS, "slow-1", name, {"spec": {"cancel": True}})
    await cluster.until_gone(WORKSPACES, name)


async def test_a_workspace_made_again_after_it_was_deleted_sees_nothing_of_the_old_one(
    cluster: Cluster, name: str
) -> None:
    first = await cluster.ready_workspace(doomed(name))
    await requested(cluster, name, seconds=0)
    await cluster.finished("slow-1", name)
    await deleted_as_soon_as_admitted(cluster, name)
    await cluster.until_gone(WORKSPACES, name)

    second = await cluster.ready_workspace(doomed(name))

    assert second["status"]["workspaceId"] != first["status"]["workspaceId"]
    again = await cluster.until(WORKSPACES, name, "", lambda item: item["status"].get("activeRuns") is not None)
    uses = {use["name"]: use["used"] for use in again["status"]["usage"]}
    assert uses["maxExecutionsPerDay"] == "0"
