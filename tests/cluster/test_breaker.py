"""The circuit breaker of a Workspace on a real cluster: a condition, an Event, a metric, and a person who resets it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.cluster.client import Object
from headgate.cluster.resources import EVENTS, WORKFLOW_RUNS, WORKSPACES
from tests.builders import a_quota, a_run, a_workflow, a_workspace, container
from tests.support.cluster import Cluster, condition, unique
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually


@pytest.fixture
async def name(cluster: Cluster, operator: OperatorProcess) -> AsyncIterator[str]:
    """A Workspace whose breaker opens at two failures, with a workflow that fails and one that succeeds."""
    name = unique("breaker")
    await cluster.apply(a_quota(name))
    breaker = {"failureThreshold": 2, "window": "10m", "coolDown": "1h", "halfOpenRuns": 1}
    await cluster.ready_workspace(a_workspace(name).with_quota(name).with_spec(circuitBreaker=breaker))
    for workflow, command in (("bad", "false"), ("good", "true")):
        node = container(cluster.image, command=[command])
        await cluster.apply(a_workflow(workflow, name).with_node("work", node))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


async def test_it_opens_says_so_everywhere_and_a_person_closes_it(
    cluster: Cluster, operator: OperatorProcess, name: str
) -> None:
    for number in (1, 2):
        await cluster.apply(a_run(f"bad-{number}", name, "bad"))
        await cluster.finished(f"bad-{number}", name)

    opened = await cluster.until(
        WORKSPACES, name, "", lambda item: condition(item, "CircuitClosed").get("status") == "False"
    )
    assert opened["status"]["circuitBreaker"]["state"] == "Open"
    assert "headgate.dev/reset-circuit-breaker" in condition(opened, "CircuitClosed")["message"]

    async def told() -> bool:
        events: list[Object] = await cluster.list(EVENTS, "default")
        return any(e["reason"] == "CircuitOpen" and e["involvedObject"]["name"] == name for e in events)

    await eventually(told, what="the Event")

    async def measured() -> bool:
        return operator.metric(f'headgate_circuit_breaker_open{{workspace="{name}"}}') == 1

    await eventually(measured, what="the metric")

    await cluster.apply(a_run("good-1", name, "good"))
    waiting = await cluster.until(WORKFLOW_RUNS, "good-1", name, lambda item: item.get("status", {}).get("waitingFor"))
    [reason] = waiting["status"]["waitingFor"]
    assert reason["reason"] == "CircuitOpen"
    assert reason["until"] == opened["status"]["circuitBreaker"]["retryAt"]

    await cluster.annotate(WORKSPACES, name, {"headgate.dev/reset-circuit-breaker": "the cause is gone"})

    assert (await cluster.finished("good-1", name))["status"]["phase"] == "Succeeded"
    closed = await cluster.until(
        WORKSPACES, name, "", lambda item: condition(item, "CircuitClosed").get("status") == "True"
    )
    assert closed["status"]["circuitBreaker"]["reset"] == "the cause is gone"


async def test_it_is_still_open_after_the_operator_was_killed(
    cluster: Cluster, operator: OperatorProcess, name: str
) -> None:
    for number in (1, 2):
        await cluster.apply(a_run(f"bad-{number}", name, "bad"))
        await cluster.finished(f"bad-{number}", name)
    operator.kill()
    operator.start().wait_until_leading()

    await cluster.apply(a_run("good-1", name, "good"))

    await cluster.until(
        WORKFLOW_RUNS, "good-1", name, lambda item: item.get("status", {}).get("waiting") == "CircuitOpen"
    )
