"""Images that inputs choose: the registries that a Workspace allows hold for them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.cluster.resources import JOBS
from tests.builders import a_quota, a_run, a_workflow, a_workspace, container
from tests.support.cluster import Cluster, unique

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A Workspace that is ready, and allows images of one registry."""
    name = unique("images")
    await cluster.apply(a_quota(name))
    allowed = {"allowedRegistries": ["registry.example.com"]}
    await cluster.ready_workspace(a_workspace(name).with_quota(name).with_spec(images=allowed))
    workflow = a_workflow("chosen", name).with_input("image").with_node("work", container("${{ inputs.image }}"))
    await cluster.apply(workflow)
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


async def test_one_of_another_registry_fails_the_node_which_says_which_and_why(cluster: Cluster, acme: str) -> None:
    await cluster.apply(a_run("hostile", acme, "chosen").with_spec(inputs={"image": "evil.example.com/x:1"}))

    [node] = (await cluster.finished("hostile", acme))["status"]["nodes"]

    assert (node["phase"], node["reason"]) == ("Failed", "InvalidJob")
    assert "use images from registry.example.com only: evil.example.com/x:1" in node["message"]
    assert await cluster.list(JOBS, acme) == []


async def test_what_is_no_image_fails_the_node(cluster: Cluster, acme: str) -> None:
    hidden = "registry.example.com/x evil.example.com/x"
    await cluster.apply(a_run("hidden", acme, "chosen").with_spec(inputs={"image": hidden}))

    [node] = (await cluster.finished("hidden", acme))["status"]["nodes"]

    assert (node["phase"], node["reason"]) == ("Failed", "InvalidImage")
    assert hidden in node["message"]
