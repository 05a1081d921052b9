"""Built-in nodes on a real cluster: one runner Job for all of a run's, over the gateway that the chart installs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, PODS, WORKFLOW_RUNS
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, not_ready_because, unique
from tests.support.databases import TestDatabase
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

GATEWAY = f"http://{RELEASE}-gateway.{NAMESPACE}.svc:8000"
PASSWORD = "correct-horse-battery"
GIVE = """
import json, os
with open(os.environ["HEADGATE_OUTPUT"], "w") as file:
    json.dump({"n": 20}, file)
"""


@pytest.fixture(scope="module")
def operator(new_operator: Callable[..., OperatorProcess], image: str) -> OperatorProcess:
    """A replica that leads, and knows of the gateway."""
    made = new_operator(HEADGATE_GATEWAY_URL=GATEWAY, HEADGATE_RUNNER_IMAGE=image, HEADGATE_RUNNER_IDLE_SECONDS="3")
    return made.start().wait_until_leading()


@pytest.fixture
async def acme(cluster: Cluster, operator: OperatorProcess) -> AsyncIterator[str]:
    """A Workspace that is ready."""
    name = unique("runner")
    await cluster.apply(a_quota(name))
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def secret(name: str, namespace: str, **values: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def script(source: str, language: str = "shell", **env: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    return {"script": {"language": language, "source": source, "env": variables}}


def answering_pod(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """A server that answers with the headers that it got, in JSON."""
    source = """
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"path": self.path, "token": self.headers.get("x-token")}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
    container = {
        "name": "web",
        "image": cluster.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", source],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}},
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }


def is_serving(pod: Object) -> bool:
    return any(container.get("ready") for container in pod["status"].get("containerStatuses", ()))


async def runner_jobs(cluster: Cluster, namespace: str) -> list[Object]:
    return await cluster.list(JOBS, namespace, "app.kubernetes.io/component=runner")


async def test_one_runner_executes_all_built_in_nodes_of_a_run(
    cluster: Cluster, acme: str, database: TestDatabase, operator: OperatorProcess
) -> None:
    await cluster.create(answering_pod(cluster, acme))
    web = await cluster.until(
        PODS,
        "web",
        acme,
        lambda pod: any(c.get("ready") for c in pod["status"].get("containerStatuses", ())),
    )
    address = web["status"]["podIP"]
    reachable = a_workspace(acme).with_quota(acme).with_egress(f"{address}/32")
    await cluster.ready_workspace(reachable.with_ingress(f"{address.rpartition('.')[0]}.0/24"))
    await cluster.apply(secret("db", acme, dsn=database.url), secret("api", acme, token=PASSWORD))
    workflow = (
        a_workflow("mixed", acme)
        .with_node(
            "make",
            script(GIVE, language="python"),
        )
        .with_node(
            "ask",
            {
                "http": {
                    "url": f"http://{address}:8080/n/${{{{ nodes.make.output.n }}}}",
                    "headers": [{"name": "X-Token", "secretKeyRef": {"name": "api", "key": "token"}}],
                }
            },
            after=["make"],
        )
        .with_node(
            "query",
            {
                "sql": {
                    "connection": {"name": "db", "key": "dsn"},
                    "query": "SELECT CAST(%(n)s AS int) + 1 AS n",
                    "parameters": [{"name": "n", "value": "${{ nodes.make.output.n }}"}],
                    "readOnly": True,
                }
            },
            after=["make"],
        )
        .with_node(
            "check",
            script(
                'test "$PATH_ASKED" = /n/20 && test "$N" = 21 && test "$TOKEN" = "[redacted]"',
                PATH_ASKED="${{ nodes.ask.output.body.path }}",
                TOKEN="${{ nodes.ask.output.body.token }}",
                N="${{ nodes.query.output.rows[0].n }}",
            ),
            after=["ask", "query"],
        )
    )
    await cluster.apply(workflow, a_run("mixed", acme, "mixed"))

    done = await cluster.finished("mixed", acme)

    assert {node["id"]: (node["phase"], node.get("message")) for node in done["status"]["nodes"]} == dict.fromkeys(
        ("make", "ask", "query", "check"), ("Succeeded", None)
    )
    [job] = await runner_jobs(cluster, acme)
    assert job["metadata"]["labels"]["headgate.dev/run"] == done["status"]["runId"]
    assert PASSWORD not in operator.log.read_text()

    async def ended() -> bool:
        [job] = await runner_jobs(cluster, acme)
        return bool(job.get("status", {}).get("succeeded"))

    await eventually(ended, what="the end of the runner, which has nothing to do any more")


async def test_an_address_that_the_workspace_does_not_open_is_refused(cluster: Cluster, acme: str) -> None:
    workflow = a_workflow("closed", acme).with_node("ask", {"http": {"url": "http://10.96.0.1/"}})
    await cluster.apply(workflow, a_run("closed", acme, "closed"))

    done = await cluster.finished("closed", acme)

    [node] = done["status"]["nodes"]
    assert (node["phase"], node["reason"]) == ("Failed", "HttpAddress")


async def test_a_run_outlives_its_runner(cluster: Cluster, acme: str, kube: Kube) -> None:
    slow = a_workflow("slow", acme).with_node("wait", script("sleep 8"))
    await cluster.apply(slow, a_run("slow", acme, "slow"))

    async def running() -> Object | None:
        pods = await cluster.list(PODS, acme, "app.kubernetes.io/component=runner")
        return next((pod for pod in pods if pod["status"].get("phase") == "Running"), None)

    pod = await eventually(running, what="a runner")
    # Without grace: a runner that is asked to end finishes what it has.
    await asyncio.to_thread(
        kube.kubectl, "delete", "pod", pod["metadata"]["name"], f"--namespace={acme}", "--grace-period=0", "--force"
    )

    done = await cluster.finished("slow", acme)

    [node] = done["status"]["nodes"]
    assert (node["phase"], node["attempt"]) == ("Succeeded", 1)
    # One that is cut off may take the attempt up once more before it is killed: then there is a third.
    assert len(await runner_jobs(cluster, acme)) >= 2


async def test_a_script_neither_reads_the_runner_nor_speaks_to_the_api_server(cluster: Cluster, acme: str) -> None:
    await cluster.apply(secret("api", acme, token=PASSWORD))
    source = """
test ! -e /var/run/secrets/kubernetes.io || exit 10
for process in /proc/[0-9]*; do
  if tr '\\0' '\\n' < $process/environ 2>/dev/null | grep -q HEADGATE_SECRET_; then exit 11; fi
done
touch /anywhere 2>/dev/null && exit 12
test "$(id -u)" != 0 || exit 13
"""
    workflow = (
        a_workflow("nosy", acme)
        .with_node("look", script(source))
        .with_node(
            "needs",
            {
                "script": {
                    "language": "shell",
                    "source": 'test -n "$T"',
                    "env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}],
                }
            },
        )
    )
    await cluster.apply(workflow, a_run("nosy", acme, "nosy"))

    done = await cluster.finished("nosy", acme)

    assert {node["id"]: node.get("message") for node in done["status"]["nodes"]} == {"look": None, "needs": None}
    assert done["status"]["phase"] == "Succeeded"


async def test_a_run_says_why_its_runner_does_not_start(cluster: Cluster, acme: str) -> None:
    query = {"sql": {"connection": {"name": "absent", "key": "dsn"}, "query": "SELECT 1"}}
    await cluster.apply(a_workflow("stuck", acme).with_node("query", query), a_run("stuck", acme, "stuck"))

    stuck = await cluster.until(WORKFLOW_RUNS, "stuck", acme, not_ready_because("MissingSecret"))

    assert stuck["status"]["waitingFor"][0]["node"] == "query"
