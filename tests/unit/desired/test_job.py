from __future__ import annotations

import json
import re
import string
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.node import Container
from headgate.desired.job import job, job_name, label_value, task_of
from headgate.domain.task import JobTask, TaskRef
from tests.workload_builders import RUN_ID, WORKSPACE_ID, a_task

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")

node_ids = st.from_regex(r"[a-z]([-_a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
workflow_names = st.from_regex(
    r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?){0,3}", fullmatch=True
)
words = st.text(st.sampled_from("$()ab {}\n"), max_size=12)


def pod_of(task: JobTask) -> dict[str, Any]:
    spec: dict[str, Any] = job(task)["spec"]["template"]["spec"]
    return spec


def container_of(task: JobTask) -> dict[str, Any]:
    (only,) = pod_of(task)["containers"]
    assert isinstance(only, dict)
    return only


def environment(task: JobTask) -> dict[str, Any]:
    """By name; of several the last, which is the one that counts."""
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container_of(task)["env"]}


def test_a_job_of_a_test_and_its_pod_say_so_and_others_say_nothing() -> None:
    test = job(replace(a_task(), mode="Test"))
    for labels in (test["metadata"]["labels"], test["spec"]["template"]["metadata"]["labels"]):
        assert labels["headgate.dev/mode"] == "Test"
    assert "headgate.dev/mode" not in job(a_task())["metadata"]["labels"]


def test_a_job_is_one_attempt_and_no_more() -> None:
    built = job(a_task(timeout_seconds=300))

    assert (built["apiVersion"], built["kind"]) == ("batch/v1", "Job")
    assert built["metadata"]["namespace"] == "acme"
    assert built["spec"]["backoffLimit"] == 0
    assert built["spec"]["activeDeadlineSeconds"] == 300
    assert pod_of(a_task())["restartPolicy"] == "Never"
    assert "ttlSecondsAfterFinished" not in built["spec"], "it stays until its result is recorded"


@pytest.mark.parametrize("seconds", [0, -5])
def test_there_is_always_a_deadline(seconds: int) -> None:
    assert job(a_task(timeout_seconds=seconds))["spec"]["activeDeadlineSeconds"] == 1


def test_job_and_pod_say_what_they_are_of() -> None:
    built = job(a_task("extract", attempt=2))

    labels = {
        "app.kubernetes.io/managed-by": "headgate",
        "headgate.dev/workspace": "acme",
        "headgate.dev/workflow": "nightly",
        "headgate.dev/run": str(RUN_ID),
        "headgate.dev/node": "extract",
        "headgate.dev/attempt": "2",
    }
    assert built["metadata"]["labels"] == {**labels, "headgate.dev/job": built["metadata"]["name"]}
    assert built["spec"]["template"]["metadata"]["labels"] == labels


@given(st.integers(1, 99), node_ids, st.uuids(), st.uuids())
def test_from_a_job_its_attempt_is_known(attempt: int, node: str, run: UUID, workspace: UUID) -> None:
    ref = TaskRef(workspace, run, node, attempt)
    task = JobTask(ref, "acme", "acme", "nightly", Container(image="busybox"), 60)
    metadata = job(task)["metadata"]

    assert task_of(metadata["labels"], metadata["annotations"]) == ref


@pytest.mark.parametrize(
    "change",
    [
        {"headgate.dev/run": "not-an-id"},
        {"headgate.dev/attempt": "first"},
        {"headgate.dev/run": None},
        {"headgate.dev/node": None},
        {"headgate.dev/attempt": None},
    ],
    ids=str,
)
def test_a_job_that_makes_no_sense_is_of_no_attempt(change: dict[str, str | None]) -> None:
    metadata = job(a_task())["metadata"]
    labels = {key: value for key, value in {**metadata["labels"], **change}.items() if value is not None}

    assert task_of(labels, metadata["annotations"]) is None


def test_nor_is_one_without_a_workspace_id() -> None:
    assert task_of(job(a_task())["metadata"]["labels"], {}) is None


class TestName:
    def test_it_can_be_read(self) -> None:
        assert re.fullmatch(r"nightly-extract-[0-9a-f]{10}", job_name("nightly", a_task("extract").ref))

    def test_it_is_the_same_for_the_same_attempt(self) -> None:
        assert job_name("nightly", a_task("extract").ref) == job_name("nightly", a_task("extract").ref)
        assert job(a_task())["metadata"]["name"] == job_name("nightly", a_task().ref)

    @pytest.mark.parametrize(
        "other", [a_task("report"), a_task(attempt=2), a_task(run_id=UUID(int=7))], ids=["node", "attempt", "run"]
    )
    def test_it_is_the_attempt_s_alone(self, other: JobTask) -> None:
        assert job_name("nightly", other.ref) != job_name("nightly", a_task().ref)

    def test_nodes_that_look_alike_do_not_share_one(self) -> None:
        assert job_name("nightly", a_task("a_b").ref) != job_name("nightly", a_task("a-b").ref)

    @given(workflow_names, node_ids)
    def test_it_is_a_dns_label(self, workflow: str, node: str) -> None:
        name = job_name(workflow, TaskRef(WORKSPACE_ID, RUN_ID, node, 1))

        assert LABEL.fullmatch(name)

    @given(st.text(max_size=80), st.text(max_size=80))
    def test_it_is_one_whatever_workflow_and_node_are_called(self, workflow: str, node: str) -> None:
        name = job_name(workflow, TaskRef(WORKSPACE_ID, RUN_ID, node, 1))

        assert len(name) <= 62
        assert LABEL.fullmatch(name)


class TestLabels:
    @given(workflow_names, node_ids)
    def test_values_are_valid(self, workflow: str, node: str) -> None:
        labels = job(a_task(node, workflow=workflow))["metadata"]["labels"]

        assert all(LABEL_VALUE.fullmatch(value) for value in labels.values()), labels

    def test_a_long_name_is_told_from_another_by_a_hash(self) -> None:
        one, other = ("a" * 70 + end for end in "xy")

        assert len(label_value(one)) == 63
        assert label_value(one) != label_value(other)
        assert label_value("a" * 63) == "a" * 63


class TestRestrictedPodSecurity:
    """Field by field what the Pod Security Standard "restricted" asks for."""

    def test_no_namespace_of_the_host(self) -> None:
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod_of(a_task()).keys()

    def test_no_port_of_the_host(self) -> None:
        assert "ports" not in container_of(a_task())

    def test_only_configmaps_and_secrets_as_volumes(self) -> None:
        mounts = [{"path": "/etc/a", "configMap": "queries"}, {"path": "/etc/b", "secret": "database"}]

        kinds = [volume.keys() - {"name"} for volume in pod_of(a_task(mounts=mounts))["volumes"]]

        assert kinds == [{"configMap"}, {"secret"}]

    def test_not_privileged_and_without_a_way_to_become_so(self) -> None:
        assert container_of(a_task())["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }

    def test_not_root(self) -> None:
        context = pod_of(a_task(runAsUser=1234))["securityContext"]

        assert context["runAsNonRoot"] is True
        assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (1234, 1234, 1234)
        assert pod_of(a_task())["securityContext"]["runAsUser"] > 0

    def test_the_runtime_s_seccomp_profile(self) -> None:
        assert pod_of(a_task())["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}

    def test_nothing_else_in_the_pod_s_security_context(self) -> None:
        known = {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile"}

        assert pod_of(a_task())["securityContext"].keys() == known

    def test_one_container_and_no_other_of_any_sort(self) -> None:
        assert len(pod_of(a_task())["containers"]) == 1
        assert not {"initContainers", "ephemeralContainers"} & pod_of(a_task()).keys()


def test_the_pod_has_no_way_to_the_api_server() -> None:
    pod = pod_of(a_task())

    assert pod["serviceAccountName"] == "headgate-run"
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


class TestOnlyWhatIsAllowed:
    everything = a_task(
        command=["sh", "-c"],
        args=["true"],
        env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        mounts=[{"path": "/etc/a", "configMap": "c"}],
        resources={"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
        imagePullPolicy="Always",
    )

    def test_of_the_job(self) -> None:
        assert job(self.everything)["spec"].keys() == {"backoffLimit", "activeDeadlineSeconds", "template"}

    def test_of_the_pod(self) -> None:
        assert pod_of(self.everything).keys() == {
            "restartPolicy",
            "serviceAccountName",
            "automountServiceAccountToken",
            "enableServiceLinks",
            "securityContext",
            "containers",
            "volumes",
        }

    def test_of_the_container(self) -> None:
        assert container_of(self.everything).keys() == {
            "name",
            "image",
            "imagePullPolicy",
            "command",
            "args",
            "env",
            "volumeMounts",
            "resources",
            "terminationMessagePath",
            "terminationMessagePolicy",
            "securityContext",
        }

    def test_of_a_reference_to_a_secret(self) -> None:
        assert environment(self.everything)["B"] == {"secretKeyRef": {"name": "s", "key": "k"}}

    @pytest.mark.parametrize(
        "smuggled", [{"securityContext": {"privileged": True}}, {"volumeMounts": []}, {"lifecycle": {}}, {"ports": []}]
    )
    def test_what_a_container_cannot_say_is_refused_when_it_is_read(self, smuggled: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="Extra inputs"):
            a_task(**smuggled)

    @given(words, words, words)
    def test_a_tenant_s_words_end_up_in_command_arguments_and_environment_alone(
        self, command: str, argument: str, value: str
    ) -> None:
        task = a_task(command=[command], args=[argument], env=[{"name": "A", "value": value}])
        bare = job(a_task())
        built = job(task)
        (container,) = built["spec"]["template"]["spec"]["containers"]
        own = container.pop("env")
        assert own[0]["name"] == "A"
        del container["command"], container["args"]
        (bare_container,) = bare["spec"]["template"]["spec"]["containers"]
        assert bare_container.pop("env") == own[1:]

        assert built == bare


def test_resources_are_given_where_they_are_asked_for() -> None:
    task = a_task(resources={"requests": {"cpu": "500m"}, "limits": {}})

    assert container_of(task)["resources"] == {"requests": {"cpu": "500m"}}
    assert "resources" not in container_of(a_task())


def test_files_are_mounted_read_only() -> None:
    task = a_task(mounts=[{"path": "/etc/queries", "configMap": "queries"}, {"path": "/etc/db", "secret": "database"}])

    assert pod_of(task)["volumes"] == [
        {"name": "mount-0", "configMap": {"name": "queries"}},
        {"name": "mount-1", "secret": {"secretName": "database"}},
    ]
    assert container_of(task)["volumeMounts"] == [
        {"name": "mount-0", "mountPath": "/etc/queries", "readOnly": True},
        {"name": "mount-1", "mountPath": "/etc/db", "readOnly": True},
    ]


def test_the_image_s_own_command_is_left_alone_unless_another_is_given() -> None:
    assert not {"command", "args"} & container_of(a_task()).keys()
    assert container_of(a_task(command=["sh"]))["command"] == ["sh"]


def test_the_container_is_told_what_it_is_and_where_to_write_its_output() -> None:
    assert environment(a_task("extract", attempt=2)) == {
        "HEADGATE_WORKSPACE": "acme",
        "HEADGATE_WORKFLOW": "nightly",
        "HEADGATE_RUN": str(RUN_ID),
        "HEADGATE_NODE": "extract",
        "HEADGATE_ATTEMPT": "2",
        "HEADGATE_OUTPUT": "/dev/termination-log",
    }
    assert container_of(a_task())["terminationMessagePath"] == "/dev/termination-log"
    assert container_of(a_task())["terminationMessagePolicy"] == "File"


def test_what_the_container_is_told_cannot_be_overruled() -> None:
    forged = a_task(env=[{"name": "HEADGATE_WORKSPACE", "value": "globex"}])

    assert environment(forged)["HEADGATE_WORKSPACE"] == "acme"


def test_an_empty_value_is_a_value() -> None:
    assert environment(a_task(env=[{"name": "A", "value": ""}]))["A"] == ""


def expanded(text: str) -> str:
    """What the kubelet makes of commands, arguments and values: the rules of the API's documentation.

    ``$$`` becomes ``$``, and ``$(NAME)`` the variable's value, which is ``!`` here for every name.
    """
    return re.sub(r"\$(\$|\(([^)]*)\))", lambda match: "$" if match[1] == "$" else "!", text)


@pytest.mark.parametrize("text", ["$(HOME)", "$$(HOME)", "echo $$", "$", "$$$(A)$", "cost: 5$"])
def test_dollars_arrive_as_they_were_written(text: str) -> None:
    task = a_task(command=[text], args=[text], env=[{"name": "A", "value": text}])
    built = container_of(task)

    assert expanded(built["command"][0]) == text
    assert expanded(built["args"][0]) == text
    assert expanded(environment(task)["A"]) == text


@given(words)
def test_so_does_everything_else(text: str) -> None:
    assert expanded(container_of(a_task(args=[text]))["args"][0]) == text


@given(st.text(string.printable, max_size=60))
def test_a_job_is_json(text: str) -> None:
    built = job(a_task(args=[text]))

    assert json.loads(json.dumps(built)) == built
