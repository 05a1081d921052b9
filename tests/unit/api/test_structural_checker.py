from __future__ import annotations

from typing import Any

import pytest

from tests.unit.api.structural import violations

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({}, "a type is missing"),
        ({"type": "null"}, "is no type"),
        ({"$ref": "#/x", "type": "object"}, "['$ref']"),
        ({"type": "string", "title": "Text"}, "['title']"),
        ({"anyOf": [TEXT], "type": "string"}, "anyOf is for int-or-string only"),
        ({"x-kubernetes-int-or-string": True, "type": "string"}, "an int-or-string has no type"),
        ({"type": "array"}, "an array needs items"),
        ({"type": "object", "items": TEXT}, "only an array has items"),
        ({"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT}, "exclude each other"),
        ({"type": "object", "properties": {}, "required": ["a"]}, "required a is no property"),
        ({"type": "object", "properties": {"a": {}}}, ".a: a type is missing"),
        ({"type": "array", "items": {}}, "[]: a type is missing"),
        ({"type": "object", "additionalProperties": {}}, "{}: a type is missing"),
        ({"type": "object", "x-kubernetes-list-type": "set"}, "only an array has a list type"),
        ({"type": "array", "items": TEXT, "x-kubernetes-list-type": "map"}, "map keys belong to"),
        ({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "set"}, "a set holds scalars"),
    ],
)
def test_a_schema_that_is_not_structural_is_noticed(schema: dict[str, Any], says: str) -> None:
    assert any(says in found for found in violations(schema))


def test_a_map_key_must_always_be_there() -> None:
    entries = {"type": "object", "properties": {"name": TEXT}}
    schema = {
        "type": "array",
        "items": entries,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }

    assert list(violations(schema)) == [": map key name is neither required nor has it a default"]
    assert not list(violations({**schema, "items": {**entries, "required": ["name"]}}))
