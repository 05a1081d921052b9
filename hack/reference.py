"""The reference of all fields, as Markdown, made from the custom resource definitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
_RULES = "x-kubernetes-validations"
_INTRODUCTION = (
    "Every field of every kind of `{version}`. The API server refuses an object that does not keep to what stands "
    "here, and says what to change. In paths, `[]` stands for an entry of a list and `{{}}` for one of a map."
)


@dataclass(frozen=True)
class Field:
    """A field, by its path from the root of the object; `[]` stands for an entry of a list, `{}` for one of a map."""

    path: str
    schema: Schema
    required: bool


def fields_of(schema: Schema, path: str = "", *, required: bool = False) -> Iterator[Field]:
    """The schema itself and every field in it, parents first."""
    yield Field(path, schema, required)
    needed = schema.get("required", [])
    for name, member in schema.get("properties", {}).items():
        yield from fields_of(member, f"{path}.{name}".lstrip("."), required=name in needed)
    if "items" in schema:
        yield from fields_of(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from fields_of(schema["additionalProperties"], f"{path}{{}}")


def reference(definitions: Iterable[Schema], mark: str) -> str:
    """The whole page."""
    definitions = list(definitions)
    group = definitions[0]["spec"]["group"]
    version = definitions[0]["spec"]["versions"][0]["name"]
    lines = [
        f"<!-- {mark} -->",
        "",
        "# Custom resources",
        "",
        _INTRODUCTION.format(version=f"{group}/{version}"),
        "",
    ]
    for definition in definitions:
        names = definition["spec"]["names"]
        lines.append(f"- [{names['kind']}](#{names['kind'].lower()}): {_first_sentence(_schema(definition))}")
    for definition in definitions:
        lines += ["", *_kind(definition)]
    return "\n".join(lines) + "\n"


def _kind(definition: Schema) -> list[str]:
    names, schema = definition["spec"]["names"], _schema(definition)
    scope = {"Cluster": "cluster-scoped", "Namespaced": "namespaced"}[definition["spec"]["scope"]]
    lines = [
        f"## {names['kind']}",
        "",
        f"{_prose(schema['description'])} It is {scope}; `kubectl get {names['shortNames'][0]}` lists it.",
    ]
    for part in ("spec", "status"):
        rows = [field for field in fields_of(schema["properties"][part], part) if "description" in field.schema]
        lines += ["", f"### {names['kind']} {part}", "", "| Field | Form | Meaning |", "| --- | --- | --- |"]
        lines += [f"| `{row.path}` | {_form(row)} | {_cell(row.schema['description'])} |" for row in rows]
    rules = [
        f"- `{(field.path + rule.get('fieldPath', '')).lstrip('.')}`: {_cell(rule['message'])}"
        for field in fields_of(schema)
        for rule in field.schema.get(_RULES, [])
    ]
    if rules:
        lines += ["", f"### What is checked of a {names['kind']}", "", "The message when it is not so:", "", *rules]
    return lines


def _form(field: Field) -> str:
    """Type, bounds and default in a few words."""
    schema = field.schema
    words = [_type(schema)]
    if field.required:
        words.append("required")
    if "enum" in schema:
        words.append("one of " + ", ".join(f"`{value}`" for value in schema["enum"]))
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
        ("minProperties", "maxProperties", " entries"),
    ):
        words += _bounds(schema.get(least), schema.get(most), unit)
    default = schema.get("default")
    if default is not None and default != {}:
        words.append(f"default `{_value(default)}`")
    return _cell("; ".join(words))


def _type(schema: Schema) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    if schema.get("format") == "date-time":
        return "time"
    if "type" not in schema:
        return "any JSON"
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map to {_type(schema['additionalProperties'])}"
    return str(schema["type"])


def _bounds(least: int | None, most: int | None, unit: str) -> list[str]:
    if least is not None and most is not None:
        return [f"{least} to {most}{unit}"]
    if least is not None:
        return [f"{least} or more{unit}"]
    return [] if most is None else [f"at most {most}{unit}"]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{name}: {amount}" for name, amount in value.items())
    return str(value)


def _schema(definition: Schema) -> Schema:
    schema: Schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _prose(text: str) -> str:
    return " ".join(text.split())


def _first_sentence(schema: Schema) -> str:
    return _prose(schema["description"]).split(". ")[0].rstrip(".") + "."


def _cell(text: str) -> str:
    """The text for a table cell: no bars, and no angle brackets outside code, where they would be markup."""
    parts = _prose(text).replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
