from __future__ import annotations

import pytest

from headgate.api.node import NodeType
from tests.builders import Builder, a_quota, a_run, a_workflow, a_workspace, container


@pytest.mark.parametrize("builder", [a_quota(), a_workspace(), a_workflow(), a_run()], ids=lambda b: b.kind.__name__)
def test_every_builder_gives_the_model_and_the_manifest_of_one_object(builder: Builder) -> None:  # type: ignore[type-arg]
    assert builder.manifest()["kind"] == builder.kind.resource.kind
    assert builder.model().metadata.name == builder.manifest()["metadata"]["name"]


def test_a_builder_is_never_changed() -> None:
    before = a_workflow()
    manifest = before.manifest()

    before.with_node("load").with_value("spec.nodes.0.id", "other").without("spec.nodes.0")
    before.manifest()["spec"]["nodes"].clear()

    assert before.manifest() == manifest


def test_a_workflow_reads_like_its_graph() -> None:
    workflow = (
        a_workflow("nightly")
        .with_schedule("at-two", "0 2 * * *", timeZone="Europe/Berlin")
        .with_node("load", container("busybox"), after=["by-hand", "at-two"], timeout="5m")
        .with_condition("enough", "true", after=["load"])
        .with_node("complain", after=["enough:false"])
        .model()
    )

    assert [(node.id, node.type, node.depends_on) for node in workflow.spec.nodes] == [
        ("by-hand", NodeType.TRIGGER, ()),
        ("at-two", NodeType.TRIGGER, ()),
        ("load", NodeType.ACTION, ("by-hand", "at-two")),
        ("enough", NodeType.CONDITION, ("load",)),
        ("complain", NodeType.ACTION, ("enough:false",)),
    ]


def test_a_workspace_reads_like_its_members_and_routes() -> None:
    workspace = (
        a_workspace("acme")
        .with_quota("large")
        .with_namespace("acme-dev", share=30)
        .with_member("viewer", "ServiceAccount", "reporter", "acme-dev")
        .with_egress("203.0.113.0/24", {"port": 443})
        .model()
    )

    assert workspace.spec.quota_ref.name == "large"
    assert [(item.name, item.share) for item in workspace.namespaces] == [("acme-dev", 30)]
    assert workspace.spec.members[0].subject.namespace == "acme-dev"
    assert workspace.spec.network.egress[0].ports[0].port == 443


def test_values_are_set_on_the_way_and_appended() -> None:
    built = a_quota().with_value("spec.containerDefaults.max", {"cpu": "2"}).with_metadata(uid="u", generation=4)
    longer = a_workflow().with_node("a").with_value("spec.nodes.1.dependsOn.+", "other").manifest()

    assert built.model().spec.container_defaults.max == {"cpu": "2"}
    assert built.model().metadata.generation == 4
    assert longer["spec"]["nodes"][1]["dependsOn"] == ["by-hand", "other"]
