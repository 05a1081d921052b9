"""What tenants do not say they get from their Workspace; what they say stays, or is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.escape.cases import policy
from tests.cluster.escape.defaults import (
    RESTRICTED,
    as_of_runs,
    in_namespace,
    pod_spec,
    silent,
    silent_by,
    spoken,
    tolerations,
)
from tests.cluster.escape.objects import claim, core, ingress
from tests.cluster.escape.pods import PATHS, POD, REGION, SILENCES, template
from tests.cluster.escape.requests import APPLY, STRATEGIC, patch
from tests.cluster.escape.stage import REGISTRY, Stage
from tests.support.waiting import until

_PLACES = ("nodeSelector", "affinity", "priorityClassName", "runtimeClassName")


@pytest.mark.parametrize("path", PATHS)
def test_pods_that_say_nothing_are_as_those_of_runs(stage: Stage, path: str) -> None:
    answer = stage.identity(PATHS[path].who).tries(silent_by(path))

    assert answer.admitted, answer.message
    spec, wanted = pod_spec(answer.object), as_of_runs(stage)
    if path == "daemonset":
        wanted["nodeSelector"][REGION] = "eu-1"
        del wanted["affinity"]
    assert {key: spec.get(key) for key in _PLACES} == {key: wanted.get(key) for key in _PLACES}
    assert tolerations(spec) == wanted["tolerations"]
    for container in spec["containers"] + spec["initContainers"]:
        assert container["imagePullPolicy"] == "Always"
        assert container["securityContext"] == RESTRICTED
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_a_pod_that_gets_a_priority_class_has_its_numbers(stage: Stage) -> None:
    spec = stage.identity("owner").tries(silent_by("pod")).object["spec"]

    assert (spec["priorityClassName"], spec["priority"]) == (stage.names["priority"], 1)


@pytest.mark.parametrize(
    ("silence", "path"), [(s, p) for s in SILENCES for p in PATHS if (s, p) != ("region", "daemonset")]
)
def test_whatever_a_pod_does_not_say_it_is_admitted(stage: Stage, silence: str, path: str) -> None:
    answer = stage.identity(PATHS[path].who).tries(PATHS[path].make(SILENCES[silence].applied()))

    assert answer.admitted, answer.message


def test_a_daemon_set_that_names_no_region_of_several_is_refused(stage: Stage) -> None:
    answer = stage.identity("broad").tries(PATHS["daemonset"].make(SILENCES["region"].applied()))

    assert policy("pod-scheduling") in answer.message
    assert "one of the regions eu-1,eu-2" in answer.message


@pytest.mark.parametrize("path", PATHS)
def test_what_pods_say_stays_as_it_is(stage: Stage, path: str) -> None:
    said = spoken()

    answer = stage.identity(PATHS[path].who).tries(PATHS[path].make(said))

    assert answer.admitted, answer.message
    spec = pod_spec(answer.object)
    assert "affinity" not in spec
    assert tolerations(spec) == said["spec"]["tolerations"]
    assert spec["nodeSelector"] == said["spec"]["nodeSelector"]
    assert spec["securityContext"] == said["spec"]["securityContext"]
    assert spec["containers"][0]["securityContext"] == said["spec"]["containers"][0]["securityContext"]


def test_security_that_containers_say_themselves_is_not_said_for_the_pod_as_well(stage: Stage) -> None:
    said = template()
    del said["spec"]["securityContext"]
    said["spec"]["containers"][0]["securityContext"] |= {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }

    answer = stage.identity("owner").tries(PATHS["pod"].make(said))

    assert answer.object["spec"]["securityContext"] == {}


def test_labels_of_nodes_are_added_to_those_that_a_pod_selects(stage: Stage) -> None:
    answer = stage.identity("owner").tries(PATHS["pod"].make(SILENCES["selector-of-something-else"].applied()))

    assert answer.object["spec"]["nodeSelector"] == {"arch": "arm", "disktype": "ssd", REGION: "eu-1"}


def test_an_ephemeral_container_gets_defaults_and_those_beside_it_stay(stage: Stage) -> None:
    debug = {"spec": {"ephemeralContainers": [{"name": "debug", "image": f"{REGISTRY}/app:1"}]}}

    answer = stage.identity("owner").tries(patch(core("pods", "prop/ephemeralcontainers"), debug, STRATEGIC))

    assert answer.admitted, answer.message
    spec = answer.object["spec"]
    assert spec["ephemeralContainers"][0]["imagePullPolicy"] == "Always"
    assert spec["ephemeralContainers"][0]["securityContext"] == RESTRICTED
    assert spec["containers"][0]["securityContext"] == POD["containers"][0]["securityContext"]


@pytest.mark.parametrize(("request_", "field", "wanted"), [(claim, "storage", "fast"), (ingress, "ingress", "inside")])
def test_the_only_class_that_is_allowed_is_given(stage: Stage, request_: Any, field: str, wanted: str) -> None:
    answer = stage.identity("owner").tries(request_(None))

    assert answer.admitted, answer.message
    assert answer.object["spec"][f"{field}ClassName"] == wanted


@pytest.fixture(scope="module")
def beside(stage: Stage) -> Iterator[str]:
    """A namespace with other rules: one region, several classes, the baseline level."""
    name = stage.names["ws"] + "-beside"
    rules = {
        "regions": "eu-1",
        "storage-classes": "fast,slow",
        "ingress-classes": "inside,outside",
        "priority-classes": stage.names["priority"] + ",other",
        "tolerations": "example.com/a=:NoSchedule",
    }
    labels = {"headgate.dev/workspace": stage.names["ws"], "pod-security.kubernetes.io/enforce": "baseline"}
    annotations = {f"headgate.dev/{key}": value for key, value in rules.items()}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    stage.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    account = ("get", "serviceaccount", "default", f"--namespace={name}")
    until(lambda: stage.kube.succeeds(*account))
    yield name
    stage.kube.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("path", ["pod", "deployment", "daemonset"])
def test_the_only_region_is_selected_and_the_first_priority_given(stage: Stage, beside: str, path: str) -> None:
    answer = stage.identity("admin").tries(in_namespace(PATHS[path].make(silent()), beside))

    assert answer.admitted, answer.message
    spec = pod_spec(answer.object)
    assert spec["nodeSelector"] == {REGION: "eu-1"}
    assert "affinity" not in spec
    assert spec["priorityClassName"] == stage.names["priority"]
    assert tolerations(spec) == [{"key": "example.com/a", "operator": "Equal", "effect": "NoSchedule"}]


def test_another_region_is_refused_by_affinity_as_well(stage: Stage, beside: str) -> None:
    elsewhere = silent()
    term = {"matchExpressions": [{"key": REGION, "operator": "In", "values": ["us-1"]}]}
    required = {"nodeSelectorTerms": [term]}
    elsewhere["spec"]["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}

    answer = stage.identity("admin").tries(in_namespace(PATHS["pod"].make(elsewhere), beside))

    assert "to one of the regions eu-1" in answer.message


def test_below_the_restricted_level_no_security_is_given(stage: Stage, beside: str) -> None:
    spec = stage.identity("admin").tries(in_namespace(PATHS["pod"].make(silent()), beside)).object["spec"]

    assert spec["securityContext"] == {}
    assert "securityContext" not in spec["containers"][0]


@pytest.mark.parametrize("request_", [claim, ingress])
def test_of_several_classes_the_tenant_chooses(stage: Stage, beside: str, request_: Any) -> None:
    assert "to one of " in stage.identity("admin").tries(request_(None, beside)).message


@pytest.mark.parametrize("path", PATHS)
def test_outside_of_workspaces_nothing_is_changed(stage: Stage, path: str) -> None:
    quiet = silent()

    answer = stage.identity("admin").tries(in_namespace(PATHS[path].make(quiet), "{people}"))

    assert answer.admitted, answer.message
    spec = pod_spec(answer.object)
    assert not {"nodeSelector", "affinity", "runtimeClassName"} & spec.keys()
    assert tolerations(spec) == []
    assert spec.get("securityContext", {}) == {}
    assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert "securityContext" not in spec["containers"][0]


def test_outside_of_workspaces_claims_and_ingresses_keep_the_classes_of_the_cluster(stage: Stage) -> None:
    admin = stage.identity("admin")

    assert admin.tries(claim(None, "{people}")).object["spec"].get("storageClassName") != "fast"
    assert admin.tries(ingress(None, "{people}")).object["spec"].get("ingressClassName") != "inside"


@pytest.mark.parametrize(("who", "path"), [("operator", "job"), ("admin", "job"), ("admin", "pod")])
def test_what_is_headgate_s_is_left_as_headgate_wrote_it(stage: Stage, who: str, path: str) -> None:
    request = silent_by(path)
    if who == "admin":
        # As Kubernetes' controllers make it from what the operator made.
        request.body["metadata"].setdefault("labels", {})["app.kubernetes.io/managed-by"] = "headgate"

    answer = stage.identity(who).tries(request)

    assert not answer.admitted
    assert "set " in answer.message, answer.message


@pytest.mark.parametrize(("path", "owner"), [("replicaset", "Deployment"), ("pod", "DaemonSet")])
def test_what_a_controller_compares_with_its_own_template_is_not_changed(stage: Stage, path: str, owner: str) -> None:
    reference = {"apiVersion": "apps/v1", "kind": owner, "name": "x", "uid": "1", "controller": True}
    request = silent_by(path)
    request.body["metadata"]["ownerReferences"] = [reference]

    answer = stage.identity("broad").tries(request)

    assert not answer.admitted
    assert "set " in answer.message, answer.message


def test_a_deployment_keeps_its_defaults_and_does_not_change_when_applied_again(stage: Stage) -> None:
    owner = stage.identity("owner")
    body = silent_by("deployment").body
    body["metadata"]["name"] = "quiet"
    later = copy.deepcopy(body)
    later["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REGISTRY}/app:2"
    where = "/apis/apps/v1/namespaces/{ns}/deployments/quiet"
    try:
        first, again, changed = (owner.tries(patch(where, each, APPLY), dry=False) for each in (body, body, later))

        assert first.admitted, first.message
        assert again.object["metadata"]["generation"] == 1
        assert changed.object["metadata"]["generation"] == 2
        assert pod_spec(changed.object)["nodeSelector"] == as_of_runs(stage)["nodeSelector"]
        until(lambda: _pods(stage))
        sets = stage.kube.get("replicasets", f"--namespace={stage.names['ns']}")["items"]
        assert len(sets) <= 2, json.dumps([item["metadata"] for item in sets])
    finally:
        stage.kube.kubectl("delete", "deployment", "quiet", f"--namespace={stage.names['ns']}", "--ignore-not-found")


def _pods(stage: Stage) -> list[Any]:
    items: list[Any] = stage.kube.get("pods", f"--namespace={stage.names['ns']}", "--selector=app=x")["items"]
    return items
