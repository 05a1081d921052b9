"""Scripts of Test and Debug runs on a real cluster: each in a pod of its own, without token, gateway and network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, PODS, WORKFLOW_RUNS
from headgate.desired.keys import NETWORK_POLICY
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, not_ready_because, unique
from tests.support.operator_process import OperatorProcess
from tests.support.selectors import selects
from tests.support.shell import time_out
from tests.support.waiting import eventually

GATEWAY = f"http://{RELEASE}-gateway.{NAMESPACE}.svc:8000"
PASSWORD = "correct-horse-battery"
TOKEN = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}
COUNT = """
import json, os
assert not os.path.exists("/var/run/secrets/kubernetes.io")
assert not os.path.exists("/var/run/secrets/headgate")
print("counting", os.environ["TOKEN"])
with open(os.environ["HEADGATE_OUTPUT"], "w") as file:
    json.dump({"length": len(os.environ["TOKEN"])}, file)
"""


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where logs lie."""
    return tmp_path_factory.mktemp("objects")


@pytest.fixture(scope="module")
def operator(new_operator: Callable[..., OperatorProcess], image: str, objects: Path) -> OperatorProcess:
    """A replica that leads, and knows what runners are made of."""
    made = new_operator(
        HEADGATE_GATEWAY_URL=GATEWAY, HEADGATE_RUNNER_IMAGE=image, HEADGATE_OBJECT_STORE=f"file://{objects}"
    )
    return made.start().wait_until_leading()


@pytest.fixture
async def acme(cluster: Cluster, operator: OperatorProcess) -> AsyncIterator[str]:
    """A Workspace that is ready, opens some addresses, and allows images of one registry, which is not Headgate's."""
    name = unique("alone")
    await cluster.apply(a_quota(name))
    workspace = a_workspace(name).with_quota(name).with_egress("203.0.113.0/24")
    await cluster.ready_workspace(workspace.with_spec(images={"allowedRegistries": ["registry.example.com"]}))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def script(source: str, language: str = "shell", *env: dict[str, Any]) -> dict[str, Any]:
    return {"script": {"language": language, "source": source, "env": list(env)}}


def secret(name: str, namespace: str, **values: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def nodes(run: Object) -> dict[str, tuple[str, str | None]]:
    return {node["id"]: (node["phase"], node.get("message")) for node in run["status"]["nodes"]}


async def pods_of(cluster: Cluster, namespace: str, mode: str) -> dict[str, Object]:
    """Pods of runs of that mode, by their nodes."""
    found = await cluster.list(PODS, namespace, labels=f"headgate.dev/mode={mode}")
    return {pod["metadata"]["labels"]["headgate.dev/node"]: pod for pod in found}


async def test_a_script_of_a_test_run_runs_for_real_in_a_pod_for_which_nothing_is_opened(
    cluster: Cluster, acme: str, operator: OperatorProcess, objects: Path
) -> None:
    await cluster.apply(secret("api", acme, token=PASSWORD))
    found = {"name": "LENGTH", "value": "${{ nodes.count.output.length }}"}
    workflow = (
        a_workflow("tried", acme)
        .with_node("count", script(COUNT, "python", TOKEN))
        .with_node("check", script('echo "it is $LENGTH"; test "$LENGTH" = 21', "shell", found), after=["count"])
    )
    await cluster.apply(workflow, a_run("tried", acme, "tried").with_spec(mode="Test"))

    done = await cluster.finished("tried", acme)

    assert nodes(done) == {"count": ("Succeeded", None), "check": ("Succeeded", None)}
    assert await cluster.list(JOBS, acme, labels="app.kubernetes.io/component=runner") == []
    pods = await pods_of(cluster, acme, "Test")
    assert pods.keys() == {"count", "check"}
    policies = await cluster.list(NETWORK_POLICY, acme)
    assert len(policies) > 1
    for pod in pods.values():
        chosen = [policy for policy in policies if selects(policy["spec"]["podSelector"], pod["metadata"]["labels"])]
        assert [policy["metadata"]["name"] for policy in chosen] == ["headgate-default-deny"]
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not [volume for volume in pod["spec"]["volumes"] if "projected" in volume or "secret" in volume]
        assert PASSWORD not in json.dumps(pod)
    assert PASSWORD not in operator.log.read_text()

    async def logs() -> dict[str, str] | None:
        paths = await asyncio.to_thread(lambda: list(objects.rglob(f"*{done['status']['runId']}/*.log")))
        return {path.name: path.read_text() for path in paths} if len(paths) == len(pods) else None

    kept = await eventually(logs, what="the logs of both scripts")
    assert kept == {"count.1.log": "counting [redacted]\n", "check.1.log": "it is 21\n"}


async def test_one_that_fails_says_of_what(cluster: Cluster, acme: str) -> None:
    workflow = (
        a_workflow("failing", acme)
        .with_node("codes", script("echo no disk >&2; exit 3"))
        .with_node("gives", script("head -c 5000 /dev/zero | tr '\\0' 1 > $HEADGATE_OUTPUT"))
    )
    await cluster.apply(workflow, a_run("failing", acme, "failing").with_spec(mode="Debug"))

    done = await cluster.finished("failing", acme)

    assert done["status"]["phase"] == "Failed"
    assert nodes(done) == {
        "codes": ("Failed", "exited with code 3: no disk"),
        "gives": ("Failed", "more than 4096 bytes were written to $HEADGATE_OUTPUT"),
    }
    reasons = {node["id"]: node["reason"] for node in done["status"]["nodes"]}
    assert reasons == {"codes": "ExitCode", "gives": "InvalidOutput"}


async def test_one_that_takes_too_long_is_asked_to_end(cluster: Cluster, kube: Kube, acme: str, objects: Path) -> None:
    slow = script("trap 'echo asked; exit' TERM; echo begun; sleep 600 & wait")
    workflow = a_workflow("slow", acme).with_node("wait", slow)
    await cluster.apply(workflow, a_run("slow", acme, "slow").with_spec(mode="Test"))

    async def has_begun() -> bool:
        pods = await cluster.list(PODS, acme, "headgate.dev/node=wait")
        names = [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]
        said = [await asyncio.to_thread(kube.kubectl, "logs", name, f"--namespace={acme}") for name in names]
        return said == ["begun\n"]

    await eventually(has_begun, every=0.5, what="the script")
    await time_out(cluster, acme, "headgate.dev/node=wait")

    done = await cluster.finished("slow", acme)

    [node] = done["status"]["nodes"]
    assert (node["phase"], node["reason"]) == ("Failed", "Timeout")

    async def log() -> str | None:
        paths = await asyncio.to_thread(lambda: list(objects.rglob(f"*{done['status']['runId']}/wait.1.log")))
        return paths[0].read_text() if paths else None

    assert await eventually(log, what="the log") == "begun\nasked\n"


async def test_a_run_is_ended_with_its_script(cluster: Cluster, acme: str) -> None:
    workflow = a_workflow("ended", acme).with_node("wait", script("sleep 600"))
    await cluster.apply(workflow, a_run("ended", acme, "ended").with_spec(mode="Test"))

    def runs(item: Object) -> bool:
        return [node["phase"] for node in item.get("status", {}).get("nodes", ())] == ["Running"]

    await cluster.until(WORKFLOW_RUNS, "ended", acme, runs)
    await cluster.kube.merge_patch(WORKFLOW_RUNS, "ended", acme, {"spec": {"cancel": True}})

    done = await cluster.finished("ended", acme)
    assert done["status"]["phase"] == "Cancelled"


async def test_it_says_why_it_does_not_start(cluster: Cluster, acme: str) -> None:
    workflow = a_workflow("stuck", acme).with_node("work", script("true", "shell", TOKEN))
    await cluster.apply(workflow, a_run("stuck", acme, "stuck").with_spec(mode="Test"))

    stuck = await cluster.until(WORKFLOW_RUNS, "stuck", acme, not_ready_because("MissingSecret"))

    assert stuck["status"]["waitingFor"][0]["node"] == "work"
