"""From a model's JSON schema to the structural schema that the API server accepts.

The form is that of apiextensions.k8s.io/v1: one ``type`` per value, no references, and no
``additionalProperties: false`` (unknown fields are pruned, or refused by ``fieldValidation: Strict``). A keyword that
this module does not know is an error, so that nothing a model says is lost silently.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from headgate.api.rules import VALIDATIONS, matches

Schema = dict[str, Any]

_SCALAR = ("format", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties")
_EXTENSIONS = (
    "nullable",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    VALIDATIONS,
)
_HANDLED = {
    *("$defs", "$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "items"),
    *("patternProperties", "properties", "propertyNames", "required", "title", "type"),
    *_SCALAR,
    *_EXTENSIONS,
}


def structural_schema(model: type[BaseModel], *, observed: bool = False) -> Schema:
    """The structural schema of a model. The API server fills in the defaults that the model would.

    What is ``observed``, a status, has neither defaults nor rules, only forms: nothing is assumed, and only the
    operator writes it.
    Empty defaults (``""``, ``[]``, ``{}``) are left out: they would only make stored objects longer.
    """
    source = model.model_json_schema(by_alias=True, mode="validation")
    return _Converter(source.get("$defs", {}), observed=observed).convert(source)


def _flat(source: Schema, defs: Schema) -> Schema:
    """The schema with its reference put in place and ``| None`` taken away; what stands beside them wins."""
    rest = {key: value for key, value in source.items() if key not in ("$ref", "anyOf")}
    if "$ref" in source:
        return _flat(defs[source["$ref"].removeprefix("#/$defs/")], defs) | rest
    if "anyOf" in source:
        variants = [variant for variant in source["anyOf"] if variant.get("type") != "null"]
        if len(variants) != 1:
            raise ValueError(f"a field is of one type, or absent: {source['anyOf']}")
        return _flat(variants[0], defs) | rest
    return rest


def _is_pattern_a_rule(source: Schema) -> bool:
    """Whether a rule checks the pattern, with words that say more than the pattern could."""
    pattern = source.get("pattern")
    return pattern is not None and any(matches(pattern) == rule["rule"] for rule in source.get(VALIDATIONS, []))


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {})


class _Converter:
    """Converts one schema and all that is in it."""

    def __init__(self, defs: Schema, *, observed: bool) -> None:
        self._defs = defs
        self._observed = observed

    def convert(self, raw: Schema) -> Schema:
        source = _flat(raw, self._defs)
        unknown = source.keys() - _HANDLED
        if unknown:
            raise ValueError(f"no structural form is known for {sorted(unknown)} in {source}")
        result: Schema = {}
        if "description" in source:
            result["description"] = source["description"].replace("``", "`")
        result |= self._type_of(source)
        result |= {key: source[key] for key in _SCALAR if key in source}
        if not self._observed and _is_pattern_a_rule(source):
            del result["pattern"]
        result |= self._members_of(source)
        default = self._default_of(source, result)
        if default is not None:
            result["default"] = default
        extensions = {key: source[key] for key in _EXTENSIONS if key in source}
        if self._observed:
            extensions.pop(VALIDATIONS, None)
        return result | extensions

    def _type_of(self, source: Schema) -> Schema:
        if source.get("x-kubernetes-int-or-string"):
            return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
        result: Schema = {"type": source["type"]} if "type" in source else {}
        if "const" in source:
            result["enum"] = [source["const"]]
        elif "enum" in source:
            result["enum"] = source["enum"]
        return result

    def _members_of(self, source: Schema) -> Schema:
        result: Schema = {}
        if "properties" in source:
            result["properties"] = {name: self.convert(value) for name, value in source["properties"].items()}
        if source.get("required"):
            result["required"] = source["required"]
        if "items" in source:
            result["items"] = self.convert(source["items"])
        values = _values_of_map(source)
        if values is not None:
            result["additionalProperties"] = self.convert(values)
        return result

    def _default_of(self, source: Schema, result: Schema) -> object:
        """What the API server fills in, or nothing. An object is filled in when something in it is."""
        if self._observed or "default" not in source:
            return None
        default = source["default"]
        if default == {} and any("default" in member for member in result.get("properties", {}).values()):
            return {}
        return None if _is_empty(default) else default


def _values_of_map(source: Schema) -> Schema | None:
    """The schema of the values of a map, whatever the form of its keys; the form of keys is for CEL rules to check."""
    patterns = source.get("patternProperties")
    if patterns:
        if len(patterns) != 1:
            raise ValueError(f"a map has one kind of values: {sorted(patterns)}")
        return dict(next(iter(patterns.values())))
    values = source.get("additionalProperties")
    return values if isinstance(values, dict) else None
