from __future__ import annotations

from typing import Any

import pytest

from headgate.api.base import CustomResource
from headgate.api.crd import KINDS, custom_resource_definition, object_schema
from headgate.api.node import CONFIG_OF, NodeConfig, NodeType
from tests.unit.api.structural import everything, violations

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.kind)
Kind = type[CustomResource]
RULES = "x-kubernetes-validations"


def parts(kind: Kind) -> list[tuple[str, dict[str, Any]]]:
    """Every schema in spec and status, by path."""
    properties = object_schema(kind)["properties"]
    return [found for name in ("spec", "status") for found in everything(properties[name], name)]


@each_kind
def test_every_field_is_described(kind: Kind) -> None:
    fields = [(path, part) for path, part in parts(kind) if not path.endswith(("[]", "{}"))]

    assert len(fields) > 10
    assert [path for path, part in fields if not part.get("description", "").strip()] == []


@each_kind
def test_every_description_is_for_a_reader_of_kubectl_explain(kind: Kind) -> None:
    described = [(path, part["description"]) for path, part in parts(kind) if "description" in part]

    assert [path for path, text in described if "``" in text or not text.rstrip().endswith((".", ":"))] == []


@each_kind
def test_the_schema_is_structural(kind: Kind) -> None:
    assert list(violations(object_schema(kind))) == []


@each_kind
def test_everything_has_a_size_limit(kind: Kind) -> None:
    limit_of = {"array": "maxItems", "string": "maxLength"}
    unlimited = [
        path
        for path, part in parts(kind)
        if (part.get("type") in limit_of and not {limit_of[part["type"]], "enum", "format"} & part.keys())
        or ("additionalProperties" in part and "maxProperties" not in part)
        or (part.get("x-kubernetes-int-or-string") and "maxLength" not in part)
    ]

    assert unlimited == []


@each_kind
def test_a_status_has_neither_defaults_nor_rules(kind: Kind) -> None:
    status = [(path, part) for path, part in parts(kind) if path.startswith("status")]

    assert [path for path, part in status if part.keys() & {"default", RULES}] == []


@each_kind
def test_no_default_is_empty(kind: Kind) -> None:
    defaults = [(path, part) for path, part in parts(kind) if "default" in part]

    assert [path for path, part in defaults if part["default"] in (None, "", [])] == []
    assert [path for path, part in defaults if part["default"] == {} and not _fills(part)] == []


def _fills(part: dict[str, Any]) -> bool:
    return any("default" in member for member in part.get("properties", {}).values())


@each_kind
def test_rules_say_what_to_change(kind: Kind) -> None:
    rules = [rule for _, part in everything(object_schema(kind)) for rule in part.get(RULES, [])]

    assert rules
    assert [rule["rule"] for rule in rules if not 10 < len(rule["message"]) <= 256] == []
    assert [rule["rule"] for rule in rules if "\n" in rule["rule"] + rule["message"]] == []


@each_kind
def test_patterns_are_left_to_what_has_no_better_words(kind: Kind) -> None:
    spec = everything(object_schema(kind)["properties"]["spec"])

    assert [path for path, part in spec if "pattern" in part and not part.get("x-kubernetes-int-or-string")] == []


@each_kind
def test_status_is_a_subresource(kind: Kind) -> None:
    version = custom_resource_definition(kind)["spec"]["versions"][0]

    assert version["subresources"] == {"status": {}}
    assert (version["served"], version["storage"]) == (True, True)


def test_names_are_those_of_the_design() -> None:
    names = {kind.resource.kind: custom_resource_definition(kind)["spec"] for kind in KINDS}

    assert {
        kind: (spec["names"]["listKind"], spec["names"]["shortNames"], spec["names"]["categories"], spec["scope"])
        for kind, spec in names.items()
    } == {
        "Quota": ("QuotaList", ["hq"], ["headgate"], "Cluster"),
        "Workspace": ("WorkspaceList", ["hws"], ["headgate"], "Cluster"),
        "Workflow": ("WorkflowList", ["hwf"], ["headgate"], "Namespaced"),
        "WorkflowRun": ("WorkflowRunList", ["hrun"], ["headgate"], "Namespaced"),
    }


@each_kind
def test_columns_show_fields_that_exist(kind: Kind) -> None:
    known = {path for path, _ in everything(object_schema(kind))} | {".metadata.creationTimestamp"}
    columns = custom_resource_definition(kind)["spec"]["versions"][0]["additionalPrinterColumns"]

    paths = [column["jsonPath"].replace('?(@.type=="Ready")', "") for column in columns]
    assert [path for path in paths if path not in known] == []
    assert [column["name"] for column in columns if not column["description"]] == []


def test_every_config_of_a_node_fits_one_type() -> None:
    members = [info.alias for info in NodeConfig.model_fields.values()]

    assert sorted(name for names in CONFIG_OF.values() for name in names) == sorted(str(name) for name in members)
    assert set(CONFIG_OF) == set(NodeType)


def test_lists_with_keys_are_maps_to_the_api_server() -> None:
    maps = {
        path: part["x-kubernetes-list-map-keys"]
        for kind in KINDS
        for path, part in everything(object_schema(kind)["properties"]["spec"])
        if part.get("x-kubernetes-list-type") == "map"
    }

    assert maps == {
        ".namespaces": ["name"],
        ".inputs": ["name"],
        ".outputs": ["name"],
        ".nodes": ["id"],
        ".nodes[].config.container.env": ["name"],
        ".nodes[].config.container.mounts": ["path"],
        ".nodes[].config.connector.git.push.files": ["path"],
        ".nodes[].config.connector.http.headers": ["name"],
        ".nodes[].config.connector.postgres.parameters": ["name"],
        ".nodes[].config.connector.sync.source.http.headers": ["name"],
        ".nodes[].config.http.headers": ["name"],
        ".nodes[].config.script.env": ["name"],
        ".nodes[].config.sql.parameters": ["name"],
        ".nodes[].config.webhook.secrets": ["name", "key"],
        ".debug.breakpoints": ["node", "at"],
        ".debug.mocks": ["node"],
        ".debug.pins": ["node"],
        ".approvals": ["node", "attempt", "by"],
    }
