"""What a structural schema admits: a judge of documents, and a strategy that makes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any

from hypothesis import strategies as st

from tests.support.generate import briefly

Schema = dict[str, Any]

_FORM = re.compile(r"^self\.matches\(r?'(.*)'\)$")
_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "string": str,
}
_SOME = 3


def patterns(schema: Schema) -> list[str]:
    """The regular expressions that a string must match, be they patterns or rules."""
    rules = (_FORM.match(rule["rule"]) for rule in schema.get("x-kubernetes-validations", []))
    found = [rule[1] for rule in rules if rule]
    return [*found, schema["pattern"]] if "pattern" in schema else found


def errors(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    """Every way in which the value is not what the schema says; of rules only those about the form of a string."""
    if value is None:
        if not schema.get("nullable"):
            yield f"{path}: null"
        return
    if "type" not in schema and not schema.get("x-kubernetes-int-or-string"):
        return
    if not _is_of_type(schema, value):
        yield f"{path}: {value!r} is of another type"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str):
        yield from _text_errors(schema, value, path)
    elif isinstance(value, int | float):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{path}: {value} is out of bounds"
    elif isinstance(value, list):
        yield from _list_errors(schema, value, path)
    elif isinstance(value, dict):
        yield from _object_errors(schema, value, path)


def _is_of_type(schema: Schema, value: Any) -> bool:
    if schema.get("x-kubernetes-int-or-string"):
        return isinstance(value, int | str) and not isinstance(value, bool)
    if isinstance(value, bool):
        return bool(schema["type"] == "boolean")
    return isinstance(value, _PYTHON_TYPES[schema["type"]])


def _text_errors(schema: Schema, value: str, path: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{path}: {len(value)} characters"
    for pattern in patterns(schema):
        if not re.search(pattern, value):
            yield f"{path}: {value!r} does not match {pattern}"


def _list_errors(schema: Schema, value: list[Any], path: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{path}: {len(value)} items"
    for position, item in enumerate(value):
        yield from errors(schema["items"], item, f"{path}.{position}")


def _object_errors(schema: Schema, value: dict[str, Any], path: str) -> Iterator[str]:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties")
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path}: {len(value)} members"
    for name in schema.get("required", []):
        if name not in value:
            yield f"{path}: {name} is missing"
    for name, member in value.items():
        found = known.get(name, others)
        if found is None:
            yield f"{path}.{name}: unknown"
        else:
            yield from errors(found, member, f"{path}.{name}")


def documents(schema: Schema) -> st.SearchStrategy[Any]:
    """Documents that the schema admits, small ones."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 10**12) | _texts(schema)
    if "type" not in schema:
        return _any_json()
    of_type: dict[str, Callable[[Schema], st.SearchStrategy[Any]]] = {
        "object": _objects,
        "array": _lists,
        "string": _texts,
        "boolean": lambda _: st.booleans(),
        "integer": lambda schema: st.integers(schema.get("minimum"), schema.get("maximum")),
    }
    made = of_type[schema["type"]](schema)
    return briefly(made) if schema["type"] == "object" else made


def _any_json() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner))


def _texts(schema: Schema) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat().replace("+00:00", "Z"))
    least, most = schema.get("minLength", 0), schema["maxLength"]
    first, *rest = patterns(schema) or [""]
    if not first:
        return st.text(min_size=least, max_size=min(most, least + _SOME))
    return st.from_regex(first, fullmatch=True, alphabet=st.characters(codec="ascii")).filter(
        lambda text: least <= len(text) <= most and all(re.search(pattern, text) for pattern in rest)
    )


def _lists(schema: Schema) -> st.SearchStrategy[list[Any]]:
    least = schema.get("minItems", 0)
    keys = schema.get("x-kubernetes-list-map-keys")
    is_set = schema.get("x-kubernetes-list-type") == "set"

    defaults = schema["items"].get("properties", {})

    def identity(item: Any) -> Any:
        # A key that is left out has its default.
        return tuple(item[key] if key in item else defaults[key]["default"] for key in keys) if keys else item

    unique_by = identity if keys or is_set else None
    return st.lists(documents(schema["items"]), min_size=least, max_size=least + _SOME, unique_by=unique_by)


def _objects(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "additionalProperties" in schema:
        names = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)
        return st.dictionaries(names, documents(schema["additionalProperties"]), max_size=_SOME)
    members = {name: documents(member) for name, member in schema.get("properties", {}).items()}
    needed = {name: members.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(needed, optional=members)
