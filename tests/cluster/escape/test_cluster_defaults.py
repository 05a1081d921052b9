"""Defaults of the cluster's own, which Kubernetes gives before any policy, do not stand in the way of a Workspace's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.escape.cases import policy
from tests.cluster.escape.defaults import in_namespace, silent_by
from tests.cluster.escape.objects import claim, ingress
from tests.cluster.escape.pods import PATHS, template
from tests.cluster.escape.stage import Stage
from tests.support.waiting import until

_STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "of-the-cluster", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "example.com/none",
}
_INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "of-the-cluster", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
    "spec": {"controller": "example.com/none"},
}
_PRIORITY = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "of-the-cluster"},
    "value": 7,
    "globalDefault": True,
    "preemptionPolicy": "Never",
}


@pytest.fixture(scope="module", autouse=True)
def cluster_defaults(stage: Stage) -> Iterator[None]:
    """The cluster has defaults of its own, none of which the attacker's workspace allows."""
    made = (_STORAGE, _INGRESS, _PRIORITY)
    for item in made:
        stage.kube.apply(item)
    _until(stage, given=True)
    yield
    for item in made:
        stage.kube.kubectl("delete", str(item["kind"]), "of-the-cluster")
    _until(stage, given=False)


def _until(stage: Stage, *, given: bool) -> None:
    """Returns when the API server goes by what there is, outside of workspaces."""
    admin = stage.identity("admin")
    tries = {
        "storageClassName": claim(None, "{people}"),
        "ingressClassName": ingress(None, "{people}"),
        "priorityClassName": in_namespace(silent_by("pod"), "{people}"),
    }

    def gives(field: str) -> bool:
        return bool(admin.tries(tries[field]).object["spec"].get(field) == "of-the-cluster")

    until(lambda: all(gives(field) is given for field in tries))


@pytest.mark.parametrize(("request_", "field", "wanted"), [(claim, "storage", "fast"), (ingress, "ingress", "inside")])
def test_a_default_of_the_cluster_gives_way_to_the_workspace_s(
    stage: Stage, request_: Any, field: str, wanted: str
) -> None:
    owner = stage.identity("owner")

    assert owner.tries(request_(None)).object["spec"][f"{field}ClassName"] == wanted
    assert "to one of " + wanted in owner.tries(request_("of-the-cluster")).message


def test_a_priority_of_the_cluster_gives_way_to_the_workspace_s(stage: Stage) -> None:
    named = template()
    named["spec"]["priorityClassName"] = "of-the-cluster"
    owner = stage.identity("owner")

    spec = owner.tries(silent_by("pod")).object["spec"]

    assert (spec["priorityClassName"], spec["priority"]) == (stage.names["priority"], 1)
    assert spec["preemptionPolicy"] == "PreemptLowerPriority"
    assert policy("pod-scheduling") in owner.tries(PATHS["pod"].make(named)).message
