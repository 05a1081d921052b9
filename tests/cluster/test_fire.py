"""Quota under fire: of 200 requests at once exactly as many are let through as there is room for.

What the API server counts is asked of it directly. What Postgres counts is asked for by WorkflowRuns, with two replicas
of the operator, of which the one that leads is killed in between; tests/component/test_limits.py does the same for
every kind of limit without a cluster.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import QUOTAS, WORKFLOW_RUNS, WORKSPACES
from headgate.desired.keys import RESOURCE_QUOTA
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.cluster.test_namespaces import a_pod
from tests.support.cluster import Cluster, patiently, unique
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

REQUESTS, ROOM = 200, 50


@pytest.fixture
async def name(cluster: Cluster, operator: OperatorProcess) -> AsyncIterator[str]:
    """A Workspace with room for fifty of everything."""
    name = unique("fire")
    quota = a_quota(name).with_limits(maxWorkflows=ROOM, maxExecutionsPerDay=ROOM, maxConcurrentRuns=1000)
    await cluster.apply(quota.with_compute(pods=str(ROOM)))
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


async def admitted(cluster: Cluster, objects: list[object]) -> Counter[str]:
    """How many of the objects were created, and why the others were not."""

    async def create(item: object) -> str:
        try:
            # One that did not hear that its object was created finds it there.
            await patiently(lambda: cluster.create(item))  # type: ignore[arg-type]
        except ApiError as error:
            if error.is_already_exists:
                return "created"
            return "quota" if "exceeded quota" in error.message else error.message
        return "created"

    return Counter(await asyncio.gather(*map(create, objects)))


async def test_exactly_fifty_workflows_are_admitted(cluster: Cluster, name: str) -> None:
    workflows: list[object] = [a_workflow(f"flow-{number}", name) for number in range(REQUESTS)]

    assert await admitted(cluster, workflows) == {"created": ROOM, "quota": REQUESTS - ROOM}


async def test_exactly_fifty_pods_are_admitted(cluster: Cluster, name: str) -> None:
    pods: list[object] = [a_pod(f"pod-{number}", name, "10m", cluster.image) for number in range(REQUESTS)]

    assert await admitted(cluster, pods) == {"created": ROOM, "quota": REQUESTS - ROOM}


async def test_exactly_fifty_runs_start_though_the_leader_is_killed(
    cluster: Cluster, operator: OperatorProcess, new_operator: Callable[..., OperatorProcess], name: str
) -> None:
    decides = a_workflow("decide", name).with_condition("yes", "true", after=["by-hand"])
    await cluster.apply(decides)
    standby = new_operator("operator-2", HEADGATE_LEASE_DURATION_SECONDS="20").start()
    runs: list[object] = [a_run(f"run-{number}", name, "decide") for number in range(REQUESTS)]
    try:
        making = asyncio.create_task(admitted(cluster, runs))
        await eventually(lambda: some_started(cluster, name), every=0.05, what="the first runs")
        operator.kill()
        assert await making == {"created": REQUESTS}

        async def all_told() -> Counter[str] | None:
            listed = await cluster.list(WORKFLOW_RUNS, name)
            phases = Counter(item.get("status", {}).get("phase", "") for item in listed)
            return phases if phases["Succeeded"] + phases["Pending"] == REQUESTS else None

        phases = await eventually(all_told, what="a phase of every run")
        assert phases == {"Succeeded": ROOM, "Pending": REQUESTS - ROOM}
        waiting = {item["status"].get("waiting") for item in await cluster.list(WORKFLOW_RUNS, name)}
        assert waiting <= {None, "DailyLimit", "Queued"}
        used = await cluster.until(WORKSPACES, name, "", lambda item: uses(item)["maxExecutionsPerDay"] == str(ROOM))
        assert uses(used)["maxExecutionsPerDay"] == str(ROOM)
    finally:
        try:
            standby.stop()
        finally:
            operator.start().wait_until_leading()


async def test_where_the_plan_rejects_the_others_fail_and_say_when_they_may_succeed(
    cluster: Cluster, name: str
) -> None:
    quota = a_quota(name).with_limits(maxExecutionsPerDay=0).with_spec(onExceeded="Reject")
    await cluster.apply(quota)
    await cluster.until(QUOTAS, name, "", lambda item: item["status"].get("observedGeneration", 0) > 1)
    await cluster.until(RESOURCE_QUOTA, "headgate", name, lambda item: item["spec"]["hard"]["pods"] != str(ROOM))
    await cluster.apply(a_workflow("decide", name).with_condition("yes", "true", after=["by-hand"]))

    await cluster.apply(a_run("refused", name, "decide"))

    refused = await cluster.finished("refused", name)
    assert refused["status"]["phase"] == "Failed"
    [why] = refused["status"]["waitingFor"]
    assert (why["reason"], why["until"][-9:]) == ("DailyLimit", "00:00:00Z")


async def some_started(cluster: Cluster, namespace: str) -> bool:
    """Whether a few runs have ended, and not yet all that can."""
    listed = await cluster.list(WORKFLOW_RUNS, namespace)
    return len([item for item in listed if item.get("status", {}).get("phase") == "Succeeded"]) >= 3


def uses(item: Object) -> dict[str, str]:
    """What is used, by limit."""
    return {use["name"]: use["used"] for use in item["status"].get("usage", ())} or {"maxExecutionsPerDay": ""}
