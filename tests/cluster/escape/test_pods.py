"""Pods outside the rules of the workspace, by every path."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.cluster.escape.cases import Case, judge, policy
from tests.cluster.escape.pods import FLAWS, FORGED, HARMLESS, PATHS, POD, template
from tests.cluster.escape.requests import STRATEGIC, patch
from tests.cluster.escape.stage import Stage


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("flaw", FLAWS)
def test_no_path_makes_a_pod_outside_the_rules(stage: Stage, flaw: str, path: str) -> None:
    bad, way = FLAWS[flaw], PATHS[path]

    judge(Case(flaw, way.make(bad.applied()), bad.denied_by(path), way.make(template()), way.who), stage)


@pytest.mark.parametrize("path", [path for path in PATHS if path != "pod"])
@pytest.mark.parametrize("label", FORGED)
def test_no_template_carries_labels_of_headgate(stage: Stage, label: str, path: str) -> None:
    forged, way = template(), PATHS[path]
    FORGED[label](forged)

    # Jobs and ReplicationControllers get their template's labels where they have none of their own.
    by = policy("pod-identity") + "|" + policy("managed")
    judge(Case(label, way.make(forged), by, way.make(template()), way.who), stage)


@pytest.mark.parametrize("path", ["pod", "job", "deployment"])
@pytest.mark.parametrize("variant", HARMLESS)
def test_what_the_rules_allow_is_admitted(stage: Stage, variant: str, path: str) -> None:
    harmless = template()
    HARMLESS[variant](harmless)

    answer = stage.identity("owner").tries(PATHS[path].make(harmless))

    assert answer.admitted, answer.message


def _ephemeral(**fields: Any) -> dict[str, Any]:
    container = {key: value for key, value in POD["containers"][0].items() if key != "resources"}
    return {"spec": {"ephemeralContainers": [{**copy.deepcopy(container), "name": "debug", **fields}]}}


@pytest.mark.parametrize(
    ("fields", "denied_by"),
    [
        ({"image": "evil/app"}, policy("pod-images")),
        ({"image": "registry.example.com.evil.io/team/app"}, policy("pod-images")),
        ({"imagePullPolicy": "Never"}, policy("pod-images")),
        ({"securityContext": {"privileged": True}}, "violates PodSecurity"),
        ({"securityContext": {"runAsUser": 0}}, "violates PodSecurity"),
        ({"securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}}, "violates PodSecurity"),
        ({"securityContext": {"allowPrivilegeEscalation": True}}, "violates PodSecurity"),
    ],
)
def test_no_ephemeral_container_is_outside_the_rules(stage: Stage, fields: dict[str, Any], denied_by: str) -> None:
    where = "/api/v1/namespaces/{ns}/pods/prop/ephemeralcontainers"

    judge(
        Case("x", patch(where, _ephemeral(**fields), STRATEGIC), denied_by, patch(where, _ephemeral(), STRATEGIC)),
        stage,
    )


_RESIZE = "/api/v1/namespaces/{ns}/pods/prop/resize"


def _resized(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", **fields}]}}


def test_no_resize_leaves_the_quota(stage: Stage) -> None:
    huge = patch(_RESIZE, _resized(resources={"requests": {"cpu": "1000"}, "limits": {"cpu": "1000"}}), STRATEGIC)
    harmless = patch(_RESIZE, _resized(resources={"requests": {"cpu": "20m"}, "limits": {"cpu": "20m"}}), STRATEGIC)

    judge(Case("x", huge, "exceeded quota", harmless), stage)


@pytest.mark.parametrize("field", [{"image": "evil/app"}, {"securityContext": {"privileged": True}}])
def test_a_resize_changes_nothing_but_sizes(stage: Stage, field: dict[str, Any]) -> None:
    answer = stage.identity("owner").tries(patch(_RESIZE, _resized(**field), STRATEGIC))

    assert not answer.admitted or answer.object["spec"]["containers"][0]["image"] == POD["containers"][0]["image"]
    assert not answer.admitted or "privileged" not in answer.object["spec"]["containers"][0]["securityContext"]


def test_an_image_of_a_pod_that_runs_is_not_changed_to_another_registry_s(stage: Stage) -> None:
    where = "/api/v1/namespaces/{ns}/pods/prop"

    def image(name: str) -> dict[str, Any]:
        return {"spec": {"containers": [{"name": "main", "image": name}]}}

    harmless = patch(where, image("registry.example.com/team/app:2"), STRATEGIC)
    judge(Case("x", patch(where, image("evil/app"), STRATEGIC), policy("pod-images"), harmless), stage)
