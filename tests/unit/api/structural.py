"""What the API server demands of a structural schema, as far as it can be told without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

TYPES = {"array", "boolean", "integer", "number", "object", "string"}
KEYWORDS = {
    *("additionalProperties", "anyOf", "default", "description", "enum", "format", "items", "maxItems", "maxLength"),
    *("maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "nullable", "pattern"),
    *("properties", "required", "type"),
    *("x-kubernetes-int-or-string", "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type"),
    *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"),
}
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def violations(schema: Schema, path: str = "") -> Iterator[str]:
    """Every way in which the schema is not structural, with the path where."""
    unknown = schema.keys() - KEYWORDS
    if unknown:
        yield f"{path}: keywords {sorted(unknown)} are not allowed or not used here"
    yield from _types(schema, path)
    yield from _lists(schema, path)
    if "properties" in schema and "additionalProperties" in schema:
        yield f"{path}: properties and additionalProperties exclude each other"
    for name in schema.get("required", []):
        if name not in schema.get("properties", {}):
            yield f"{path}: required {name} is no property"
    for step, member in members(schema):
        yield from violations(member, f"{path}{step}")


def members(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The schemas directly in this one, with the step that leads there."""
    for name, member in schema.get("properties", {}).items():
        yield f".{name}", member
    if "items" in schema:
        yield "[]", schema["items"]
    if "additionalProperties" in schema:
        yield "{}", schema["additionalProperties"]


def everything(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """The schema and all in it, by path."""
    yield path, schema
    for step, member in members(schema):
        yield from everything(member, f"{path}{step}")


def _types(schema: Schema, path: str) -> Iterator[str]:
    if schema.get("x-kubernetes-int-or-string"):
        if "type" in schema or schema.get("anyOf", INT_OR_STRING) != INT_OR_STRING:
            yield f"{path}: an int-or-string has no type, and anyOf of integer and string only"
        return
    if "anyOf" in schema:
        yield f"{path}: anyOf is for int-or-string only"
    if "type" not in schema:
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{path}: a type is missing"
    elif schema["type"] not in TYPES:
        yield f"{path}: {schema['type']!r} is no type"
    if schema.get("type") == "array" and "items" not in schema:
        yield f"{path}: an array needs items"
    if "items" in schema and schema.get("type") != "array":
        yield f"{path}: only an array has items"


def _lists(schema: Schema, path: str) -> Iterator[str]:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if kind is None and keys is None:
        return
    if schema.get("type") != "array":
        yield f"{path}: only an array has a list type"
        return
    items = schema["items"]
    if (kind == "map") != bool(keys):
        yield f"{path}: map keys belong to a list of type map"
    if kind == "set" and items.get("type") in ("array", "object"):
        yield f"{path}: a set holds scalars"
    for key in keys or ():
        member = items.get("properties", {}).get(key)
        if member is None or member.get("type") in ("array", "object"):
            yield f"{path}: map key {key} is no scalar property of the items"
        elif key not in items.get("required", []) and "default" not in member:
            yield f"{path}: map key {key} is neither required nor has it a default"
