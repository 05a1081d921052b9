"""The Deployment of a pool."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate.desired.manifest import Manifest
from headgate.desired.plan import plan
from headgate.desired.runner_pod import RunnerPods
from headgate.desired.workspace import children
from headgate.domain.runner_task import GRACE_SECONDS, is_pool_runner, is_runner_of
from tests.unit.desired.builders import FACTS, a_quota, a_workspace, applied
from tests.workload_builders import RUN_ID

PODS = RunnerPods("http://gateway:8000", "registry.example.com/headgate:1.0")
WITH_GATEWAY = replace(FACTS, runner_pods=PODS)


def made(decided: int | None = None, facts: Any = WITH_GATEWAY, **runners: Any) -> tuple[Manifest, ...]:
    workspace = a_workspace(runners={"max": 3, **runners})
    return children(workspace, a_quota(), facts, runners={"acme": decided} if decided is not None else {})


def pools(manifests: tuple[Manifest, ...]) -> list[dict[str, Any]]:
    return [item for item in manifests if item["kind"] == "Deployment"]


def containers(**runners: Any) -> dict[str, dict[str, Any]]:
    [pool] = pools(made(**runners))
    return {item["name"]: item for item in pool["spec"]["template"]["spec"]["containers"]}


def test_there_is_none_without_runners_or_without_a_gateway() -> None:
    assert pools(made(max=0)) == []
    assert pools(made(facts=FACTS)) == []


@pytest.mark.parametrize(
    ("decided", "least", "replicas"), [(None, 0, 0), (None, 2, 2), (1, 2, 2), (9, 0, 3), (2, 1, 2)]
)
def test_its_size_is_what_was_decided_within_the_bounds(decided: int | None, least: int, replicas: int) -> None:
    [pool] = pools(made(decided, min=least))

    assert pool["spec"]["replicas"] == replicas


def test_only_the_runner_has_the_token_and_no_script_can_take_the_place_of_what_it_calls() -> None:
    found = containers()

    mounts = {name: {m["name"]: m.get("readOnly", False) for m in c["volumeMounts"]} for name, c in found.items()}
    assert mounts == {"main": {"token": True, "room": False}, "scripts": {"room": True, "tmp": False}}
    assert not any(variable["name"].startswith("HEADGATE_RUNNER") for variable in found["scripts"]["env"])


def test_its_pods_keep_to_the_level_restricted_and_are_told_of_by_probes() -> None:
    [pool] = pools(made())
    pod = pool["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} == set(container["resources"])
        assert container["livenessProbe"]["httpGet"]["port"]


def test_a_runner_has_time_to_drain_and_then_its_scripts_to_end() -> None:
    [pool] = pools(made())
    environment = {v["name"]: v["value"] for v in containers()["main"]["env"]}
    drain = float(environment["HEADGATE_RUNNER_DRAIN_SECONDS"])

    assert pool["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > drain + GRACE_SECONDS


def test_what_is_stuck_is_not_waited_for_as_what_drains_is() -> None:
    for container in containers().values():
        assert container["livenessProbe"]["terminationGracePeriodSeconds"] < GRACE_SECONDS


def test_amounts_are_written_as_the_api_server_returns_them_and_requests_stay_below_limits() -> None:
    resources = containers(resources={"limits": {"cpu": "0.1", "memory": "128Mi"}})["scripts"]["resources"]

    assert resources == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "100m", "memory": "128Mi"},
    }


def test_what_the_api_server_adds_by_default_is_no_difference() -> None:
    manifests = made(1)
    live = applied(manifests)
    for item in live.values():
        if item["kind"] == "Deployment":
            item["spec"]["progressDeadlineSeconds"] = 600
            item["spec"]["template"]["spec"]["dnsPolicy"] = "ClusterFirst"
            for container in item["spec"]["template"]["spec"]["containers"]:
                container["livenessProbe"]["successThreshold"] = 1

    assert plan(manifests, live).is_empty


def test_another_size_is_one_write_and_no_pool_any_more_one_deletion() -> None:
    live = applied(made(1))

    assert [item["kind"] for item in plan(made(2), live).apply] == ["Deployment"]
    assert plan(made(2), live).writes == 1
    assert [item.key.kind for item in plan(made(max=0), live).prune] == ["Deployment"]


def test_pods_of_pools_and_of_runs_are_told_apart_by_their_names() -> None:
    assert is_pool_runner("headgate-runners-6bd9f7c5d8-x7k2p")
    assert not is_runner_of("headgate-runners-6bd9f7c5d8-x7k2p", RUN_ID)
    assert not is_pool_runner("headgate-runners-runner-0123456789ab-1-x7k2p")
    assert not is_pool_runner("x-headgate-runners-6bd9f7c5d8-x7k2p")
