from __future__ import annotations

from typing import Any

from headgate.api.builtin import Script
from headgate.api.node import NodeConfig
from headgate.desired.context import ClusterFacts
from headgate.desired.job import job_name, task_of
from headgate.domain.alone import SCRIPT_LABEL, carried_in
from headgate.domain.runner_task import GRACE_SECONDS, secret_variable, secrets_of
from headgate.domain.task import JobTask
from tests.support.selectors import selects
from tests.unit.desired.builders import a_workspace, children_of
from tests.workload_builders import a_script_task, a_task, job_of

A_SECRET = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}]


def pod(task: JobTask, **workspace: Any) -> dict[str, Any]:
    spec: dict[str, Any] = job_of(task, a_workspace(**workspace).spec)["spec"]["template"]["spec"]
    return spec


def container(task: JobTask, **workspace: Any) -> dict[str, Any]:
    [only] = pod(task, **workspace)["containers"]
    assert isinstance(only, dict)
    return only


def environment(task: JobTask) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container(task)["env"]}


def test_it_is_the_attempt_s_job_as_that_of_any_node_is() -> None:
    task = a_script_task()
    job = job_of(task)

    assert job["metadata"]["name"] == job_name("nightly", task.ref)
    assert task_of(job["metadata"]["labels"], job["metadata"]["annotations"]) == task.ref
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["activeDeadlineSeconds"] == task.timeout_seconds
    for labelled, plain in ((job, job_of(a_task())), (job["spec"]["template"], job_of(a_task())["spec"]["template"])):
        more = {"headgate.dev/mode": "Test", SCRIPT_LABEL: "alone"}
        assert labelled["metadata"]["labels"] == plain["metadata"]["labels"] | more


def test_it_has_no_token_and_no_gateway() -> None:
    spec, told = pod(a_script_task()), environment(a_script_task())

    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("headgate-run", False)
    assert spec["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}]
    assert [mount["name"] for mount in container(a_script_task())["volumeMounts"]] == ["tmp"]
    assert not [name for name in told if name.startswith("HEADGATE_RUNNER_")]
    assert "gateway" not in str(told)


def test_no_policy_of_its_namespace_opens_anything_for_it() -> None:
    labels = job_of(a_script_task())["spec"]["template"]["metadata"]["labels"]
    tenant = a_workspace(network={"egress": [{"internet": True}], "ingress": [{"cidr": "198.51.100.0/24"}]})
    found = children_of(tenant, facts=ClusterFacts("headgate-system", gateway_namespace="headgate-edge"))
    policies = {name: item["spec"] for name, item in found.items() if name.startswith("NetworkPolicy ")}

    chosen = {name for name, spec in policies.items() if selects(spec["podSelector"], labels)}

    assert chosen == {"NetworkPolicy acme/headgate-default-deny"}
    assert len(policies) == 4


def test_it_is_restricted_and_limited_as_a_runner_is() -> None:
    spec, only = pod(a_script_task()), container(a_script_task())

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert only["resources"] == {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"cpu": "1", "memory": "512Mi"},
    }


def test_it_has_the_time_to_end_that_scripts_have() -> None:
    assert pod(a_script_task())["terminationGracePeriodSeconds"] > GRACE_SECONDS


def test_it_runs_in_the_image_of_runners() -> None:
    only = container(a_script_task())

    assert (only["image"], only["imagePullPolicy"]) == ("registry.example.com/headgate:1.0", "IfNotPresent")
    assert only["command"] == ["python", "-P", "-m", "headgate.runner.alone"]
    assert container(a_script_task(), images={"pullPolicy": "Always"})["imagePullPolicy"] == "Always"


def test_the_workspace_s_wishes_about_pods_hold() -> None:
    assert pod(a_script_task(), scheduling={"nodeSelector": {"pool": "a"}})["nodeSelector"] == {"pool": "a"}


def test_it_carries_the_script_as_it_is_although_kubernetes_replaces_variables() -> None:
    task = a_script_task("echo $(date) $$ $HOME", env=[{"name": "A", "value": "$(B) $$"}])

    # Kubernetes makes "$" of "$$", and nothing else can be a variable then.
    values = {name: value for name, value in environment(task).items() if isinstance(value, str)}
    assert all("$" not in value.replace("$$", "") for value in values.values())
    assert carried_in({name: value.replace("$$", "$") for name, value in values.items()}) == task.does


def test_secrets_are_referred_to_under_names_that_tell_nothing() -> None:
    task = a_script_task(env=[*A_SECRET, {**A_SECRET[0], "name": "AGAIN"}])
    assert isinstance(task.does, Script)
    [ref] = set(secrets_of(NodeConfig(script=task.does)))

    names = [item["name"] for item in container(task)["env"]]

    assert environment(task)[secret_variable(ref)] == {"secretKeyRef": {"name": "api", "key": "token"}}
    assert len(names) == len(set(names))


def test_it_is_told_what_it_is_and_where_to_say_how_it_ended() -> None:
    told = environment(a_script_task())

    assert (told["HEADGATE_WORKFLOW"], told["HEADGATE_NODE"], told["HEADGATE_ATTEMPT"]) == ("nightly", "extract", "1")
    assert told["HEADGATE_OUTPUT"] == container(a_script_task())["terminationMessagePath"] == "/dev/termination-log"
    assert told["HEADGATE_ALONE_TIMEOUT_SECONDS"] == "300"
