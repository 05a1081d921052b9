"""Files that scripts leave on a real cluster, out of pods of Jobs and of pools, through the gateway of the chart."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE
from headgate.cluster.client import Object
from tests.builders import WorkspaceBuilder, a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, unique
from tests.support.databases import TestDatabase
from tests.support.operator_process import OperatorProcess

GATEWAY = f"http://{RELEASE}-gateway.{NAMESPACE}.svc:8000"
LEAVE = """
import os
os.chdir(os.environ["HEADGATE_ARTIFACTS"])
with open("large.bin", "wb") as file:
    for number in range(30):
        file.write(bytes([number]) * 1_000_000)
open("empty", "w").close()
"""
LARGE = hashlib.sha256(b"".join(bytes([number]) * 1_000_000 for number in range(30))).hexdigest()


@pytest.fixture(scope="module")
def operator(new_operator: Callable[..., OperatorProcess], image: str) -> OperatorProcess:
    """A replica that leads, and knows of the gateway."""
    return new_operator(HEADGATE_GATEWAY_URL=GATEWAY, HEADGATE_RUNNER_IMAGE=image).start().wait_until_leading()


@pytest.fixture(scope="module")
def store(kube: Kube, operator: OperatorProcess) -> Iterator[None]:
    """The gateway, of which there is one replica, has an object store of its own."""
    told(kube, "HEADGATE_OBJECT_STORE=memory:///")
    yield
    told(kube, "HEADGATE_OBJECT_STORE-")


def told(kube: Kube, variable: str) -> None:
    """Have the gateway start anew with a variable, or without it."""
    gateway = f"deployment/{RELEASE}-gateway"
    kube.kubectl("set", "env", "--namespace", NAMESPACE, gateway, variable)
    kube.kubectl("rollout", "status", "--namespace", NAMESPACE, gateway, "--timeout=180s")


@pytest.fixture
async def acme(cluster: Cluster, operator: OperatorProcess) -> AsyncIterator[Callable[..., Any]]:
    """Makes a Workspace that is ready, with what it is to have besides, and gives its name."""
    name = unique("files")

    async def make(limits: dict[str, Any] | None = None, **spec: Any) -> str:
        await cluster.apply(a_quota(name).with_spec(limits=limits or {}))
        made: WorkspaceBuilder = a_workspace(name).with_quota(name)
        await cluster.ready_workspace(made.with_spec(**spec) if spec else made)
        return name

    yield make
    await cluster.remove(workspaces=(name,), quotas=(name,))


def script(source: str, language: str = "shell") -> dict[str, Any]:
    return {"script": {"language": language, "source": source}}


async def noted(database: TestDatabase, workspace: str) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of the files of a workspace, by name."""
    connection = await psycopg.AsyncConnection.connect(database.superuser_url, row_factory=dict_row)
    query = b"""SELECT a.name, a.bytes, a.sha256 FROM headgate.run_artifacts a
        JOIN headgate.workspaces w ON w.id = a.workspace_id WHERE w.name = %s"""
    async with connection:
        rows = await (await connection.execute(query, (workspace,))).fetchall()
    return {row["name"]: (row["bytes"], row["sha256"]) for row in rows}


def reasons(done: Object) -> dict[str, tuple[str, str | None]]:
    return {node["id"]: (node["phase"], node.get("reason") or None) for node in done["status"]["nodes"]}


async def test_without_a_store_that_the_gateway_reaches_they_say_so(cluster: Cluster, acme: Callable[..., Any]) -> None:
    name = await acme()
    workflow = a_workflow("leaves", name).with_node("leave", script('echo > "$HEADGATE_ARTIFACTS/a"'))
    await cluster.apply(workflow, a_run("one", name, "leaves"))

    assert reasons(await cluster.finished("one", name)) == {"leave": ("Failed", "ArtifactsElsewhere")}


@pytest.mark.parametrize("runners", [{}, {"min": 0, "max": 1}], ids=["job", "pool"])
@pytest.mark.usefixtures("store")
async def test_files_are_kept_and_what_is_none_fails_its_node(
    cluster: Cluster, acme: Callable[..., Any], database: TestDatabase, runners: dict[str, Any]
) -> None:
    name = await acme(**({"runners": runners} if runners else {}))
    link = 'ln -s /etc/passwd "$HEADGATE_ARTIFACTS/passwd"'
    workflow = (
        a_workflow("leaves", name)
        .with_node("leave", script(LEAVE, "python"))
        .with_node("link", script(link), after=["leave"], onFailure="Continue")
    )
    await cluster.apply(workflow, a_run("one", name, "leaves"))

    done = await cluster.finished("one", name)

    assert reasons(done) == {"leave": ("Succeeded", None), "link": ("Failed", "InvalidArtifact")}
    assert await noted(database, name) == {
        "empty": (0, hashlib.sha256(b"").hexdigest()),
        "large.bin": (30_000_000, LARGE),
    }


@pytest.mark.usefixtures("store")
async def test_what_does_not_fit_into_the_plan_fails_and_leaves_nothing(
    cluster: Cluster, acme: Callable[..., Any], database: TestDatabase
) -> None:
    name = await acme({"maxStorageMB": 29})
    await cluster.apply(a_workflow("leaves", name).with_node("leave", script(LEAVE, "python")))
    await cluster.apply(a_run("one", name, "leaves"))

    done = await cluster.finished("one", name)

    [node] = done["status"]["nodes"]
    assert node["reason"] == "StorageLimit"
    assert "takes 30000000 bytes" in node["message"]
    assert await noted(database, name) == {}
