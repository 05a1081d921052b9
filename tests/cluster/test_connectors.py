"""Connectors on a real cluster: what is copied, listed, told and heard by a runner Job, and by a warm runner.

The other systems listen on this machine, where pods reach them because the Workspace says so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from hack.cluster.provider import ClusterProvider
from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE
from headgate.cluster.resources import JOBS
from headgate.domain.runner_task import POOL_NAME
from tests.builders import WorkflowBuilder, a_quota, a_run, a_workflow, a_workspace
from tests.cluster.test_runner import GATEWAY, script, secret
from tests.support.cluster import Cluster, unique
from tests.support.databases import TestDatabase
from tests.support.doubles import ACCESS_KEY, BUCKET, SECRET_KEY, double
from tests.support.operator_process import OperatorProcess

SYSTEMS = "systems"
"""The Secret, and the credential, with all that the other systems ask for."""
BY_SECRET, BY_CREDENTIAL = "secretKeyRef", "credentialKeyRef"


@pytest.fixture(scope="module")
def host(provider: ClusterProvider) -> str:
    """This machine, as pods have it."""
    return provider.host_address()


@pytest.fixture(scope="module")
def broker(host: str) -> Iterator[str]:
    topics = f"{BY_SECRET},{BY_CREDENTIAL}"
    with double("kafka-double", "-listen", host, "-topics", topics, "-partitions", "1") as address:
        yield address


@pytest.fixture(scope="module")
def bucket(host: str) -> Iterator[str]:
    options = ("-bucket", BUCKET, "-access-key-id", ACCESS_KEY, "-secret-access-key", SECRET_KEY)
    with double("s3-double", "-listen", host, *options) as address:
        yield address


@pytest.fixture(scope="module")
def table(database: TestDatabase) -> Iterator[str]:
    """Three rows that the login of programs may read."""
    name = unique("orders").replace("-", "_")
    database.do(f"CREATE TABLE {name} AS SELECT n FROM generate_series(1, 3) n; GRANT SELECT ON {name} TO PUBLIC")
    yield name
    database.do(f"DROP TABLE {name}")


@pytest.fixture(scope="module")
def operator(new_operator: Callable[..., OperatorProcess], image: str) -> OperatorProcess:
    """A replica that leads, and knows of the gateway."""
    made = new_operator(HEADGATE_GATEWAY_URL=GATEWAY, HEADGATE_RUNNER_IMAGE=image, HEADGATE_RUNNER_IDLE_SECONDS="3")
    return made.start().wait_until_leading()


@pytest.fixture
async def acme(
    cluster: Cluster, operator: OperatorProcess, host: str, database: TestDatabase, kube: Kube
) -> AsyncIterator[str]:
    """A Workspace with a warm runner that may reach this machine, and with what the systems ask for, in both ways."""
    name = unique("connectors")
    await cluster.apply(a_quota(name))
    warm = {"min": 1, "max": 1, "idleSeconds": 60}
    await cluster.ready_workspace(a_workspace(name).with_quota(name).with_egress(f"{host}/32").with_spec(runners=warm))
    values = {"url": database.url, "id": ACCESS_KEY, "key": SECRET_KEY}
    await cluster.apply(secret(SYSTEMS, name, **values))
    put = ("headgate", "put-credential", SYSTEMS, f"--workspace={name}")
    within = ("exec", "--stdin", f"--namespace={NAMESPACE}", f"deployment/{RELEASE}-gateway", "--")
    await asyncio.to_thread(kube.kubectl, *within, *put, stdin=json.dumps(values))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def everything(name: str, acme: str, kept: str, *, broker: str, bucket: str, table: str) -> WorkflowBuilder:
    """Rows become an object, whose number is told to a topic and heard from it. ``kept`` says where secrets are."""

    def hidden(key: str) -> dict[str, Any]:
        return {kept: {"name": SYSTEMS, "key": key}}

    objects = {
        "endpoint": f"http://{bucket}",
        "bucket": BUCKET,
        "accessKeyId": hidden("id"),
        "secretAccessKey": hidden("key"),
    }
    source = {"postgres": {"connection": hidden("url"), "table": table, "cursor": ["n"]}}
    kafka = {"brokers": [broker], "tls": False}
    told = {"topic": kept, "records": [{"value": "${{ nodes.listed.output.objects.size() }}"}]}
    return (
        a_workflow(name, acme)
        .with_node("copy", {"connector": {"sync": {"source": source, "target": {"s3": {**objects, "prefix": kept}}}}})
        .with_node("listed", {"connector": {"s3": {**objects, "list": {"prefix": kept}}}}, after=["copy"])
        .with_node("tell", {"connector": {"kafka": {**kafka, "produce": told}}}, after=["listed"])
        .with_node("hear", {"connector": {"kafka": {**kafka, "consume": {"topic": kept}}}}, after=["tell"])
        .with_node(
            "check",
            script(
                'test "$COPIED" = 3 && test "$HEARD" = 1',
                COPIED="${{ nodes.copy.output.records }}",
                HEARD="${{ nodes.hear.output.records[0].value }}",
            ),
            after=["hear"],
        )
    )


async def test_with_secrets_a_runner_job_does_all_of_it_and_with_credentials_a_warm_runner(
    cluster: Cluster, acme: str, database: TestDatabase, operator: OperatorProcess, broker: str, bucket: str, table: str
) -> None:
    for name, kept in (("secret", BY_SECRET), ("credential", BY_CREDENTIAL)):
        workflow = everything(name, acme, kept, broker=broker, bucket=bucket, table=table)
        await cluster.apply(workflow, a_run(name, acme, name))

    done = {name: (await cluster.finished(name, acme))["status"] for name in ("secret", "credential")}

    for status in done.values():
        nodes = {node["id"]: (node["phase"], node.get("message")) for node in status["nodes"]}
        assert nodes == dict.fromkeys(("copy", "listed", "tell", "hear", "check"), ("Succeeded", None))
    [job] = await cluster.list(JOBS, acme, "app.kubernetes.io/component=runner")
    assert job["metadata"]["labels"]["headgate.dev/run"] == done["secret"]["runId"]
    given = database.rows(
        "SELECT DISTINCT runner FROM headgate.credential_releases WHERE execution_id = %s", done["credential"]["runId"]
    )
    assert [runner.startswith(POOL_NAME) for (runner,) in given] == [True]
    assert SECRET_KEY not in operator.log.read_text()
