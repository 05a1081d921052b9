"""Events that never come, watches that break, lists of yesterday, refusals, lost answers, and an API server that dies:
the end is the same as without.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.cluster.local import LocalCluster
from hack.cluster.provider import ClusterProvider
from headgate.cluster.connection import connect
from headgate.cluster.resources import WORKSPACES
from headgate.desired.keys import CHILD_KINDS, NAMESPACE, NETWORK_POLICY, RESOURCE_QUOTA
from tests.builders import WorkflowBuilder, a_quota, a_run, a_workflow, a_workspace
from tests.support.audit import created_jobs, deleted_jobs
from tests.support.cluster import Cluster, is_ready, unique
from tests.support.databases import TestDatabase
from tests.support.fault_proxy import NONE, FaultProxy, Faults
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

SEED = 20261125
FAN_OUT = 6
WORKSPACES_BEHIND = 3
TROUBLE = Faults(drop_event=0.2, cut_watch=0.03, stale_list=0.3, refuse=0.08, lose_answer=0.08)


def fan_out(cluster: Cluster, namespace: str) -> WorkflowBuilder:
    """``first``, then six at once, then ``last``."""
    config = {"container": {"image": cluster.image, "command": ["true"], "resources": {"requests": {"cpu": "10m"}}}}
    names = [f"n{number}" for number in range(FAN_OUT)]
    workflow = a_workflow("fan-out", namespace).with_node("first", config)
    for name in names:
        workflow = workflow.with_node(name, config, after=["first"])
    return workflow.with_node("last", config, after=names)


@pytest.fixture
async def plan(cluster: Cluster) -> AsyncIterator[str]:
    """The name of a Quota, and the beginning of the names of all Workspaces on it."""
    plan = unique("fault")
    await cluster.apply(a_quota(plan).with_compute(pods="50").with_limits(maxConcurrentRuns=50))
    yield plan
    names = [item["metadata"]["name"] for item in await cluster.list(WORKSPACES)]
    await cluster.remove(workspaces=tuple(name for name in names if name.startswith(plan)), quotas=(plan,))


@pytest.fixture
async def proxy(operator_kubeconfig: Path) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(connect(str(operator_kubeconfig)), random.Random(SEED)).serving() as proxy:
        yield proxy


@pytest.fixture
async def behind(
    proxy: FaultProxy, operator_kubeconfig: Path, new_operator: Callable[..., OperatorProcess], tmp_path: Path
) -> AsyncIterator[OperatorProcess]:
    """An operator that sees the API server through the proxy alone, and compares its cache every few seconds."""
    kubeconfig = pointed_at(proxy.url, operator_kubeconfig, tmp_path / "kubeconfig")
    operator = new_operator("behind", HEADGATE_RESYNC_SECONDS="3", HEADGATE_LEASE_DURATION_SECONDS="30")
    operator.kubeconfig = kubeconfig
    yield operator
    # The proxy lives on this loop, and has to answer until the operator is gone.
    await asyncio.to_thread(operator.stop)


def pointed_at(url: str, kubeconfig: Path, path: Path) -> Path:
    """The same identity, at another server."""
    content = yaml.safe_load(kubeconfig.read_text())
    for entry in content["clusters"]:
        entry["cluster"] = {"server": url}
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))
    return path


async def children(cluster: Cluster, workspace: str) -> dict[tuple[str, str], Any]:
    """What the Workspace's children say, with its name left open."""
    found: dict[tuple[str, str], Any] = {}
    for kind in CHILD_KINDS:
        for item in await cluster.list(kind, labels=f"headgate.dev/workspace={workspace}"):
            content = {key: value for key, value in item.items() if key in ("spec", "rules", "subjects", "roleRef")}
            content["labels"] = item["metadata"]["labels"]
            name = item["metadata"]["name"].replace(workspace, "NAME")
            found[kind.kind, name] = json.loads(json.dumps(content).replace(workspace, "NAME"))
    return found


async def test_behind_a_network_that_lies_the_end_is_the_same(
    cluster: Cluster, plan: str, proxy: FaultProxy, behind: OperatorProcess, audit_log: Path, database: TestDatabase
) -> None:
    await asyncio.to_thread(lambda: behind.start().wait_until_leading())
    proxy.faults = TROUBLE
    names = [f"{plan}-{number}" for number in range(WORKSPACES_BEHIND)]
    await cluster.apply(*(a_workspace(name).with_quota(plan) for name in names))
    for name in names:
        await cluster.until(NAMESPACE, name, "", lambda item: item["status"]["phase"] == "Active")
        await cluster.apply(fan_out(cluster, name), a_run("once", name, "fan-out"))
    ended = [await cluster.finished("once", name, within=240) for name in names]
    for policy in await cluster.list(NETWORK_POLICY, names[0]):
        await cluster.kube.delete(NETWORK_POLICY, policy["metadata"]["name"], names[0])
    await cluster.apply(a_quota(plan).with_compute(pods="40").with_limits(maxConcurrentRuns=50))
    await cluster.until(RESOURCE_QUOTA, "headgate", names[1], lambda item: item["spec"]["hard"]["pods"] == "40")
    proxy.faults = NONE

    twin = f"{plan}-twin"
    await cluster.ready_workspace(a_workspace(twin).with_quota(plan))
    expected = await children(cluster, twin)
    for name in names:
        await cluster.until(WORKSPACES, name, "", is_ready)

        async def same(name: str = name) -> bool:
            return await children(cluster, name) == expected

        await eventually(same, what=f"the children of {name} as those of one that had no trouble")
        jobs = created_jobs(audit_log, name)
        assert {job: times for job, times in jobs.items() if times != 1} == {}, "a Job was created twice"
        assert deleted_jobs(audit_log, name) == []
        attempts = database.rows(
            "SELECT s.phase FROM headgate.workflow_execution_steps s"
            " JOIN headgate.workspaces w ON w.id = s.workspace_id WHERE w.name = %s AND s.attempt > 0",
            name,
        )
        assert attempts == [("Succeeded",)] * (FAN_OUT + 2)
    assert {item["status"]["phase"] for item in ended} == {"Succeeded"}
    missing = set(vars(TROUBLE)) - set(proxy.happened)
    assert not missing, f"faults that never came about: {missing}"
    assert behind.running


async def test_while_the_api_server_is_dead_nothing_is_lost(
    cluster: Cluster,
    plan: str,
    provider: ClusterProvider,
    new_operator: Callable[..., OperatorProcess],
    audit_log: Path,
) -> None:
    if not isinstance(provider, LocalCluster):
        pytest.skip("only the local cluster's API server can be killed from here")
    operator = new_operator("through", HEADGATE_LEASE_DURATION_SECONDS="60")
    await asyncio.to_thread(lambda: operator.start().wait_until_leading())
    name = f"{plan}-dies"
    await cluster.ready_workspace(a_workspace(name).with_quota(plan))
    await cluster.apply(fan_out(cluster, name), a_run("once", name, "fan-out"))
    await asyncio.to_thread(provider.restart, "kube-apiserver", absent=1.0)

    ended = await cluster.finished("once", name, within=180)

    assert ended["status"]["phase"] == "Succeeded"
    assert ended["status"]["progress"] == f"{FAN_OUT + 2}/{FAN_OUT + 2}"
    jobs = created_jobs(audit_log, name)
    assert set(jobs.values()) <= {1}
    assert operator.running
    operator.stop()
