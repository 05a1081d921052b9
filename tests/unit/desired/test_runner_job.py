"""The Job of a runner."""

from __future__ import annotations

import json
from typing import Any

from headgate.api.container import SecretKeyRef
from headgate.api.workspace import WorkspaceSpec
from headgate.desired.job import task_of
from headgate.desired.placement import ASKS_NOTHING
from headgate.desired.runner_job import RunnerWork, runner_job
from headgate.desired.runner_pod import RunnerPods
from headgate.domain.runner_task import GRACE_SECONDS, is_runner_of, runner_job_name, secret_variable
from headgate.runner.networks import Networks
from tests.builders import a_workspace
from tests.workload_builders import RUN_ID, WORKSPACE_ID

PODS = RunnerPods(gateway_url="http://gateway:8000", image="registry.example.com/headgate:1.0")
TOKEN = SecretKeyRef(name="api", key="token")


def made(workspace: WorkspaceSpec = ASKS_NOTHING, closed: tuple[str, ...] = (), **members: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"namespace": "acme", "workflow": "nightly", "number": 1, **members}
    work = RunnerWork(workspace_id=WORKSPACE_ID, workspace="acme", run_id=RUN_ID, **given)
    return runner_job(work, PODS, workspace, closed)


def pod(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


def environment(job: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in pod(job)["containers"][0]["env"]}


def test_it_is_named_after_its_run_and_number_and_is_no_attempt_s() -> None:
    job = made(number=3)

    assert job["metadata"]["name"] == runner_job_name("nightly", RUN_ID, 3)
    assert task_of(job["metadata"]["labels"], job["metadata"]["annotations"]) is None
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]


def test_a_pod_s_name_tells_whose_runner_it_is() -> None:
    other = WORKSPACE_ID

    for workflow in ("nightly", "x" * 253, "a.b"):
        name = runner_job_name(workflow, RUN_ID, 12)
        assert len(name) <= 58
        assert is_runner_of(f"{name}-x7k2p", RUN_ID)
        assert not is_runner_of(f"{name}-x7k2p", other)
        assert not is_runner_of(name, RUN_ID)


def test_its_scripts_have_the_time_to_end_that_container_nodes_have() -> None:
    assert pod(made())["terminationGracePeriodSeconds"] > GRACE_SECONDS == 30


def test_the_only_token_is_one_for_the_gateway() -> None:
    spec = pod(made())

    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("headgate-run", False)
    tokens = [volume for volume in spec["volumes"] if "projected" in volume]
    assert tokens == [
        {
            "name": "token",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"audience": "headgate-runner", "expirationSeconds": 3600, "path": "token"}}
                ]
            },
        }
    ]


def test_it_is_restricted_and_limited() -> None:
    spec = pod(made())
    [container] = spec["containers"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_secrets_are_referred_to_under_names_that_tell_nothing() -> None:
    job = made(secrets=(TOKEN,))

    assert environment(job)[secret_variable(TOKEN)] == {"secretKeyRef": {"name": "api", "key": "token"}}


def test_http_nodes_reach_public_addresses_and_what_the_workspace_names_but_never_what_is_closed() -> None:
    workspace = a_workspace().with_egress("10.0.0.0/8").with_egress("169.254.0.0/16").model().spec

    def networks(spec: WorkspaceSpec) -> Networks:
        return Networks.parse(environment(made(spec, closed=("10.96.0.1", "203.0.114.9")))["HEADGATE_RUNNER_NETWORKS"])

    opened, plain = networks(workspace), networks(ASKS_NOTHING)
    assert {address: (plain.allow(address), opened.allow(address)) for address in ("8.8.8.8", "10.1.2.3")} == {
        "8.8.8.8": (True, True),
        "10.1.2.3": (False, True),
    }
    for never in ("10.96.0.1", "203.0.114.9", "169.254.169.254"):
        assert not opened.allow(never)


def test_what_it_is_told_is_json_that_it_can_read() -> None:
    told = environment(made())

    assert told["HEADGATE_RUNNER_GATEWAY_URL"] == "http://gateway:8000"
    assert told["HEADGATE_RUNNER_RUN_ID"] == str(RUN_ID)
    assert json.loads(told["HEADGATE_RUNNER_NETWORKS"])


def test_the_workspace_s_wishes_about_pods_hold() -> None:
    workspace = a_workspace().with_spec(
        images={"pullPolicy": "Always"}, scheduling={"nodeSelector": {"pool": "tenants"}}
    )

    spec = pod(made(workspace.model().spec))

    assert (spec["containers"][0]["imagePullPolicy"], spec["nodeSelector"]) == ("Always", {"pool": "tenants"})
