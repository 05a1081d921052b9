"""Uninstalling in any order: nothing is stuck, and no tenant loses a namespace. These tests run last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hack import install
from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE

pytestmark = pytest.mark.cluster

TENANT = "uninstall-tenant"
KINDS = ("workspaces", "quotas", "workflows", "workflowruns")


@pytest.fixture
def tenant(release: None, kube: Kube, image: str) -> Iterator[Kube]:
    """The release with its operator, and a Workspace with a finalizer: its namespace would go with it."""
    secret = kube.get("secret", install.SECRET, f"--namespace={NAMESPACE}")["metadata"]["resourceVersion"]
    values = install.values(kube, image, secret)
    install.install(kube, {**values, "operator": {**values["operator"], "replicas": 1}})
    apply(kube, "Quota", {})
    apply(kube, "Workspace", {"quotaRef": {"name": TENANT}, "deletionPolicy": "Delete"})
    kube.kubectl("wait", "--for=condition=Ready", f"workspace/{TENANT}", "--timeout=180s")
    yield kube
    kube.kubectl("delete", "namespace", TENANT, "--wait=true", "--timeout=180s")


def apply(kube: Kube, kind: str, spec: dict[str, Any]) -> None:
    kube.apply({"apiVersion": "headgate.dev/v1alpha1", "kind": kind, "metadata": {"name": TENANT}, "spec": spec})


def uninstall(kube: Kube) -> None:
    kube.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait", "--timeout=2m")


def delete_definitions(kube: Kube) -> None:
    """Returns when they are gone, and so every object of theirs; fails where one is stuck."""
    kube.kubectl("delete", "crd", *(f"{kind}.headgate.dev" for kind in KINDS), "--timeout=180s")


def assert_the_namespace_is_there(kube: Kube) -> None:
    namespace = kube.get("namespace", TENANT)
    assert "deletionTimestamp" not in namespace["metadata"]
    assert kube.find("resourcequota", "headgate", f"--namespace={TENANT}") is not None


def test_the_chart_first_and_the_definitions_after(tenant: Kube) -> None:
    assert tenant.get("workspace", TENANT)["metadata"]["finalizers"]

    uninstall(tenant)
    assert tenant.get("workspace", TENANT)["metadata"].get("finalizers", []) == []
    assert tenant.find("clusterrole", f"{RELEASE}-release") is None
    delete_definitions(tenant)

    assert_the_namespace_is_there(tenant)


def test_the_definitions_first_and_the_chart_after(tenant: Kube) -> None:
    delete_definitions(tenant)
    assert_the_namespace_is_there(tenant)

    uninstall(tenant)

    assert_the_namespace_is_there(tenant)


def test_the_workspace_after_the_chart(tenant: Kube) -> None:
    uninstall(tenant)

    tenant.kubectl("delete", "workspace", TENANT, "--timeout=180s")

    assert_the_namespace_is_there(tenant)
