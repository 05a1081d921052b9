"""What the API server itself says about custom resources."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import Builder, a_quota, a_run, a_workflow, a_workspace, container
from tests.cluster.schema_cases import (
    A_WEBHOOK,
    BAD,
    GOOD_QUOTA,
    GOOD_RUN,
    GOOD_WORKFLOW,
    GOOD_WORKSPACE,
    QUOTA,
    WORKSPACE,
    Bad,
)
from tests.cluster.schema_support import KUBECONFIG_VARIABLE, Refused, SchemaServer

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def api(request: pytest.FixtureRequest) -> SchemaServer:
    """An API server with the definitions of this checkout: the one named in the environment, or the tests' own.

    To the tests' own the chart brings them: had they come otherwise, Helm would not take them over.
    """
    named = os.environ.get(KUBECONFIG_VARIABLE)
    if named is None:
        request.getfixturevalue("release")
        named = str(request.getfixturevalue("provider").kubeconfig)
    server = SchemaServer.at(named)
    server.install_definitions()
    return server


@pytest.fixture(scope="module")
def namespace(api: SchemaServer) -> Iterator[str]:
    """A namespace of no workspace."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"schema-{uuid.uuid4().hex[:8]}"}}
    api.create(manifest)
    yield manifest["metadata"]["name"]  # type: ignore[index]
    api.delete(manifest)


def placed(builder: Builder[Any], namespace: str) -> dict[str, Any]:
    """The manifest, in the namespace where it is namespaced."""
    if builder.kind.resource.scope == "Namespaced":
        builder = builder.with_metadata(namespace=namespace)
    return builder.manifest()


def widest_workflow() -> Builder[Any]:
    """As much as a workflow may hold: 100 nodes with the longest ids, with 20 dependencies each where there are."""
    ids = [f"n{position:02}-{'x' * 36}" for position in range(100)]
    workflow = a_workflow().with_spec(nodes=[]).with_trigger(ids[0], {"manual": {}})
    for position in range(1, 100):
        workflow = workflow.with_node(ids[position], container("busybox"), after=ids[max(0, position - 20) : position])
    return workflow


def crowded_workflow() -> Builder[Any]:
    """Many containers with much in each."""
    env = [{"name": f"VARIABLE_{i}", "value": "v" * 50} for i in range(64)]
    mounts = [{"path": f"/data/{i}", "configMap": f"data-{i}"} for i in range(16)]
    workflow = a_workflow()
    for i in range(99):
        workflow = workflow.with_node(f"node-{i}", container(env=env, mounts=mounts, command=["run", "--fast"]))
    return workflow


GOOD: dict[str, Builder[Any]] = {
    "quota": GOOD_QUOTA,
    "quota of defaults": a_quota(QUOTA),
    "quota without spec": a_quota(QUOTA).without("spec"),
    "quota with every kind of amount": a_quota(QUOTA).with_spec(
        compute={
            "requests.nvidia.com/gpu": 2,
            "count/jobs.batch": "50",
            "fast.storageclass.storage.k8s.io/requests.storage": "1Ti",
            "hugepages-2Mi": 0,
            "limits.cpu": "1.5",
            "pods": "1k",
        }
    ),
    "workspace": GOOD_WORKSPACE,
    "workspace of its own name": a_workspace(WORKSPACE),
    "workspace with room for the rest": a_workspace(WORKSPACE).with_namespace("a", 99).with_namespace("b"),
    "workspace with a dot and a namespace": a_workspace(f"{WORKSPACE}.corp").with_namespace("acme"),
    "workspace that opens its one namespace": a_workspace(WORKSPACE)
    .with_peer("egress", namespace=WORKSPACE)
    .with_peer("ingress", namespace=WORKSPACE),
    "workspace that opens a namespace to another": a_workspace(WORKSPACE)
    .with_namespace("acme-dev")
    .with_namespace("acme-prod")
    .with_peer("egress", namespace="acme-prod")
    .with_peer("ingress", namespace="acme-dev"),
    "workspace that opens the internet": a_workspace(WORKSPACE).with_peer("egress", internet=True),
    "workspace with the widest egress": a_workspace(WORKSPACE).with_egress("0.0.0.0/0").with_egress("::/0"),
    "workflow": GOOD_WORKFLOW,
    "workflow that needs an input by hand": a_workflow().with_input("since", required=True).with_node("load"),
    "workflow with rare cron": a_workflow().with_schedule("rare", "*/5 8-18/2,22 L jan-MAR mon#1,?"),
    "workflow with an image by an expression": a_workflow().with_node("load", container("shop/load:${{ inputs.tag }}")),
    "workflow with an image by digest": a_workflow().with_node(
        "load", container(f"localhost:5000/a/b_c.d:1.0@sha256:{'0' * 64}")
    ),
    "workflow with a webhook": a_workflow().with_trigger("paid", {"webhook": A_WEBHOOK}).with_input("since"),
    "run": GOOD_RUN,
    "run with as many mocks and pins as there may be": a_run().with_spec(
        mode="Test",
        debug={
            "mocks": [{"node": f"mocked-{'x' * 28}-{i}"} for i in range(100)],
            "pins": [{"node": f"pinned-{'x' * 28}-{i}", "run": "r" * 64} for i in range(100)],
        },
    ),
    "run with 64 inputs": a_run().with_inputs(**{f"i{i}": i for i in range(64)}),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_objects_are_admitted(api: SchemaServer, namespace: str, name: str) -> None:
    assert api.dry_create(placed(GOOD[name], namespace))


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in BAD.items()])
def test_bad_objects_are_refused_with_words_that_help(api: SchemaServer, namespace: str, bad: Bad) -> None:
    with pytest.raises(Refused) as refusal:
        api.dry_create(placed(bad.object, namespace))

    assert bad.says in str(refusal.value)
    assert "no such" not in str(refusal.value)


@pytest.mark.parametrize("build", [widest_workflow, crowded_workflow])
def test_the_largest_workflows_fit_the_budget_of_rules(api: SchemaServer, namespace: str, build: Any) -> None:
    assert api.dry_create(placed(build(), namespace))


def test_the_largest_workflow_is_refused_with_the_node_that_is_wrong(api: SchemaServer, namespace: str) -> None:
    wrong = widest_workflow().with_value("spec.nodes.99.dependsOn.19", "nobody")

    with pytest.raises(Refused, match=r"node n99-x+ depends on nobody: list a node of that id before it"):
        api.dry_create(placed(wrong, namespace))


def test_the_largest_workspace_is_admitted(api: SchemaServer) -> None:
    workspace = a_workspace(WORKSPACE)
    for i in range(32):
        workspace = workspace.with_namespace(f"acme-{i}", share=3)
    ports = [{"port": port} for port in range(1, 33)]
    for i in range(64):
        if i % 2:
            workspace = workspace.with_egress(f"10.0.{i}.0/24", *ports).with_ingress(f"2001:db8:0:{i:x}::/64", *ports)
        else:
            for direction in ("egress", "ingress"):
                workspace = workspace.with_peer(direction, namespace=f"acme-{i // 2}", ports=ports)
    for i in range(256):
        workspace = workspace.with_member(kind="Group", name=f"{'g' * 240}-{i}")
    workspace = workspace.with_value("spec.namespaces.31.share", 7)

    assert api.dry_create(workspace.manifest())


def test_defaults_are_stored_so_that_everyone_sees_them(api: SchemaServer, namespace: str) -> None:
    quota = api.dry_create(a_quota(QUOTA).without("spec").manifest())
    workflow = api.dry_create(placed(a_workflow().with_node("load"), namespace))

    assert quota["spec"]["limits"]["maxConcurrentRuns"] == 50
    assert quota["spec"]["containerDefaults"]["default"] == {"cpu": "500m", "memory": "512Mi"}
    assert workflow["spec"]["nodes"][1]["config"]["container"]["runAsUser"] == 65532
    assert "retry" not in workflow["spec"]["nodes"][1]
    assert "status" not in workflow


@pytest.mark.parametrize("name", [name for name in GOOD if "without spec" not in name])
def test_what_the_operator_writes_back_is_admitted(api: SchemaServer, namespace: str, name: str) -> None:
    manifest = placed(GOOD[name], namespace)

    assert api.dry_create({**manifest, "spec": GOOD[name].model().spec.to_wire()})


def test_nodes_applied_in_another_order_are_stored_in_that_order(api: SchemaServer, namespace: str) -> None:
    first = a_workflow("reordered", namespace).with_node("a").with_node("b")
    api.apply(first.manifest())

    stored = api.apply(a_workflow("reordered", namespace).with_node("b").with_node("a", after=["b"]).manifest())

    assert [node["id"] for node in stored["spec"]["nodes"]] == ["by-hand", "b", "a"]


@pytest.fixture(scope="module")
def stored(api: SchemaServer, namespace: str) -> dict[str, Any]:
    """A run that exists."""
    return api.create(placed(GOOD_RUN.with_metadata(name="kept"), namespace))


@pytest.fixture(scope="module")
def cancelled(api: SchemaServer, namespace: str) -> dict[str, Any]:
    """A run that exists and is being cancelled."""
    return api.create(placed(GOOD_RUN.cancelled().with_metadata(name="cancelled"), namespace))


class TestRunOnceCreated:
    """A WorkflowRun says what happened, so it cannot be rewritten."""

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("workflowRef", {"name": "other"}),
            ("trigger", "by-hand"),
            ("inputs", {"since": "2025-01-01", "nothing": None, "nested": {"a": [1, {"b": None}]}}),
            ("inputs", {"since": "2024-01-01", "nothing": None, "nested": {"a": [1, {"b": 0}]}}),
            ("inputs", {"since": "2024-01-01", "renamed": None, "nested": {"a": [1, {"b": None}]}}),
        ],
        ids=["another workflow", "a trigger", "an input", "deep in an input", "an input renamed"],
    )
    def test_nothing_else_can_be_changed(self, api: SchemaServer, stored: Any, member: str, value: Any) -> None:
        with pytest.raises(Refused, match=f"leave {member} as it is, only what steers a run can be changed"):
            api.dry_replace({**stored, "spec": {**stored["spec"], member: value}})

    def test_inputs_cannot_be_taken_away(self, api: SchemaServer, stored: dict[str, Any]) -> None:
        spec = {name: value for name, value in stored["spec"].items() if name != "inputs"}

        with pytest.raises(Refused, match="leave inputs as it is"):
            api.dry_replace({**stored, "spec": spec})

    def test_it_can_be_cancelled(self, api: SchemaServer, stored: dict[str, Any]) -> None:
        replaced = api.dry_replace({**stored, "spec": {**stored["spec"], "cancel": True}})

        assert replaced["spec"]["cancel"] is True

    @pytest.mark.parametrize("spec", [{"cancel": False}, {}], ids=["set to false", "taken away"])
    def test_it_stays_cancelled(self, api: SchemaServer, cancelled: dict[str, Any], spec: dict[str, Any]) -> None:
        kept = {name: value for name, value in cancelled["spec"].items() if name != "cancel"}

        with pytest.raises(Refused, match="a cancelled run stays cancelled; create another WorkflowRun"):
            api.dry_replace({**cancelled, "spec": {**kept, **spec}})

    @pytest.mark.parametrize("member", ["retry", "resume", "step"])
    def test_what_was_asked_for_is_not_taken_back(self, api: SchemaServer, namespace: str, member: str) -> None:
        run = GOOD_RUN.with_spec(mode="Debug", **{member: 2}).with_metadata(name=f"asked-{member}")
        stored = api.create(placed(run, namespace))

        with pytest.raises(Refused, match=f"raise {member}, or leave it"):
            api.dry_replace({**stored, "spec": {**stored["spec"], member: 1}})

    def test_labels_can_be_changed(self, api: SchemaServer, stored: dict[str, Any]) -> None:
        labelled = {**stored, "metadata": {**stored["metadata"], "labels": {"team": "data"}}}

        assert api.dry_replace(labelled)["metadata"]["labels"] == {"team": "data"}
