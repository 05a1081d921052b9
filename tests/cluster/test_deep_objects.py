"""Objects nested as deep as the API server takes them: in 10,000 levels, of which Python by itself reads 1,000."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from hack.kube import Kube
from headgate.cluster.resources import WORKFLOW_RUNS, WORKFLOWS
from headgate.cluster.wire import path
from headgate.desired.keys import ApiResource
from headgate.domain.json_bytes import RECURSION_LIMIT
from tests.builders import Builder, a_quota, a_run, a_workflow, a_workspace, container
from tests.support.cluster import Cluster, condition, not_ready_because, unique
from tests.support.operator_process import OperatorProcess

LEVELS = 9_000
DEEP = "how deep it is"


@pytest.fixture(autouse=True)
def room_to_read() -> Iterator[None]:
    """The test reads what it wrote."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(RECURSION_LIMIT)
    yield
    sys.setrecursionlimit(before)


@pytest.fixture
async def acme(cluster: Cluster, operator: OperatorProcess) -> AsyncIterator[str]:
    """A Workspace with a workflow that is fine."""
    name = unique("deep")
    await cluster.apply(a_quota(name))
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    await cluster.apply(a_workflow("fine", name).with_node("x", container(cluster.image, command=["true"])))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def create(kube: Kube, resource: ApiResource, item: Builder[Any]) -> None:
    """Have the API server given the object as text, with a list in a list in a list for what it says is deep."""
    text = json.dumps(item.manifest()).replace(json.dumps(DEEP), "[" * LEVELS + "]" * LEVELS)
    kube.kubectl("create", f"--raw={path(resource, item.manifest()['metadata']['namespace'])}", "-f", "-", stdin=text)


def a_deep_workflow(namespace: str) -> Builder[Any]:
    return a_workflow("deep", namespace).with_input("x", default=DEEP).with_node("x", container())


async def runs_on(cluster: Cluster, acme: str, name: str) -> bool:
    await cluster.apply(a_run(name, acme, "fine"))
    done = await cluster.finished(name, acme)
    return bool(done["status"]["phase"] == "Succeeded")


async def test_what_is_nested_too_deep_is_told_of_and_harms_nobody(
    cluster: Cluster, kube: Kube, acme: str, operator: OperatorProcess
) -> None:
    pid = operator.process.pid
    create(kube, WORKFLOWS, a_deep_workflow(acme))
    create(kube, WORKFLOW_RUNS, a_run("deep", acme, "fine").with_spec(inputs={"x": DEEP}))

    for resource in (WORKFLOWS, WORKFLOW_RUNS):
        told = await cluster.until(resource, "deep", acme, not_ready_because("InvalidSpec"))
        assert "flatten it: lists and objects are nested in more than 64 levels" in condition(told, "Ready")["message"]
    assert await runs_on(cluster, acme, "beside")
    assert operator.process.pid == pid
    assert operator.running


async def test_an_operator_starts_where_there_is_one(
    cluster: Cluster, kube: Kube, acme: str, operator: OperatorProcess
) -> None:
    create(kube, WORKFLOWS, a_deep_workflow(acme))
    await cluster.until(WORKFLOWS, "deep", acme, not_ready_because("InvalidSpec"))

    operator.stop()
    operator.start().wait_until_leading()

    assert await runs_on(cluster, acme, "afterwards")
