"""Pools of runners on a real cluster: no Job for a run, empty when there is nothing to do, out of tenants' hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE
from hack.shell import CommandError
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, PODS
from headgate.desired.keys import DEPLOYMENT
from headgate.domain.runner_task import POOL_NAME
from tests.builders import WorkspaceBuilder, a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, unique
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

GATEWAY = f"http://{RELEASE}-gateway.{NAMESPACE}.svc:8000"
RUNNERS = {"min": 0, "max": 2, "idleSeconds": 10}
OWNER = "warm-owner"
LOOK = """
test ! -e /var/run/secrets || exit 10
for process in /proc/[0-9]*; do
  if tr '\\0' '\\n' < $process/environ 2>/dev/null | grep -q HEADGATE_RUNNER_; then exit 11; fi
done
touch /anywhere 2>/dev/null && exit 12
rm -f /run/headgate/scripts.sock 2>/dev/null && exit 13
test "$(id -u)" != 0 || exit 14
echo '{"n": 20}' > $HEADGATE_OUTPUT
"""


@pytest.fixture(scope="module")
def operator(new_operator: Callable[..., OperatorProcess], image: str) -> OperatorProcess:
    """A replica that leads, and knows of the gateway."""
    return new_operator(HEADGATE_GATEWAY_URL=GATEWAY, HEADGATE_RUNNER_IMAGE=image).start().wait_until_leading()


def warm(name: str, **runners: Any) -> WorkspaceBuilder:
    """A Workspace with a pool, and an owner."""
    made = a_workspace(name).with_quota(name).with_member("owner", name=OWNER)
    return made.with_spec(runners={**RUNNERS, **runners})


@pytest.fixture
async def acme(cluster: Cluster, operator: OperatorProcess) -> AsyncIterator[str]:
    """A Workspace with a pool, which is empty."""
    name = unique("warm")
    await cluster.apply(a_quota(name))
    await cluster.ready_workspace(warm(name))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def script(source: str) -> dict[str, Any]:
    return {"script": {"language": "shell", "source": source}}


async def pool(cluster: Cluster, namespace: str) -> Object:
    return await cluster.kube.get(DEPLOYMENT, POOL_NAME, namespace)


async def test_a_run_is_executed_by_the_pool_and_without_a_job(cluster: Cluster, acme: str) -> None:
    workflow = (
        a_workflow("chain", acme)
        .with_node("look", script(LOOK))
        .with_node("next", {"http": {"url": "http://10.96.0.1/"}}, after=["look"], onFailure="Continue")
    )
    await cluster.apply(workflow, a_run("one", acme, "chain"))

    done = await cluster.finished("one", acme)

    nodes = {node["id"]: (node["phase"], node.get("reason") or None) for node in done["status"]["nodes"]}
    assert nodes == {"look": ("Succeeded", None), "next": ("Failed", "HttpAddress")}
    assert await cluster.list(JOBS, acme) == []


async def test_runners_end_when_there_is_nothing_to_do(cluster: Cluster, acme: str) -> None:
    await cluster.apply(a_workflow("once", acme).with_node("work", script("true")), a_run("once", acme, "once"))
    await cluster.finished("once", acme)
    assert (await pool(cluster, acme))["spec"]["replicas"] == 1

    async def nobody() -> bool:
        gone = (await pool(cluster, acme))["spec"]["replicas"] == 0
        return gone and not await cluster.list(PODS, acme, "headgate.dev/runners=pool")

    await eventually(nobody, what="an empty pool")


async def test_a_tenant_changes_nothing_of_the_pool(cluster: Cluster, acme: str, kube: Kube) -> None:
    for command in (
        ("scale", f"deployment/{POOL_NAME}", "--replicas=9"),
        ("delete", f"deployment/{POOL_NAME}"),
        ("set", "image", f"deployment/{POOL_NAME}", "main=busybox"),
        ("create", "deployment", "headgate-other", "--image=busybox"),
    ):
        with pytest.raises(CommandError, match=r"(?i)headgate"):
            await asyncio.to_thread(kube.kubectl, *command, f"--namespace={acme}", f"--as={OWNER}")
    assert (await pool(cluster, acme))["spec"]["replicas"] == 0


async def test_what_somebody_else_changes_is_put_back(cluster: Cluster, acme: str, kube: Kube) -> None:
    await asyncio.to_thread(kube.kubectl, "scale", f"deployment/{POOL_NAME}", "--replicas=2", f"--namespace={acme}")

    async def back() -> bool:
        return bool((await pool(cluster, acme))["spec"]["replicas"] == 0)

    await eventually(back, what="the size that was decided")


async def test_without_runners_the_pool_goes_and_runs_get_jobs_again(cluster: Cluster, acme: str) -> None:
    await cluster.apply(warm(acme, max=0))
    await cluster.apply(a_workflow("cold", acme).with_node("work", script("true")), a_run("cold", acme, "cold"))

    done = await cluster.finished("cold", acme)

    assert done["status"]["phase"] == "Succeeded"
    assert len(await cluster.list(JOBS, acme, "app.kubernetes.io/component=runner")) == 1
