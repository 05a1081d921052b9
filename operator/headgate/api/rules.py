"""What the API server checks beyond shapes: CEL rules and list semantics, declared beside the models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A CEL rule over one value, ``self``, that the API server evaluates on every write.

    Used as an annotation of a scalar, list or map, or in ``rules`` of a model. The message says what to change.
    A rule that names ``oldSelf`` is evaluated on updates only. CEL as of Kubernetes 1.32; the API server refuses a
    definition whose rules could cost too much, which is why everything that rules look at has a size limit.
    """

    cel: str
    """The expression; must be true."""
    message: str
    """What to change, for a person."""
    message_cel: str = ""
    """An expression for the message where it has to name what is wrong; ``message`` is used when it fails."""
    reason: Literal["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"] = (
        "FieldValueInvalid"
    )
    """How the API server classifies the violation."""

    def to_schema(self) -> dict[str, str]:
        """The rule as it stands in the definition."""
        schema = {"rule": " ".join(self.cel.split()), "message": self.message}
        if self.message_cel:
            schema["messageExpression"] = " ".join(self.message_cel.split())
        if self.reason != "FieldValueInvalid":
            schema["reason"] = self.reason
        return schema

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return with_rules(handler(core), [self])


@dataclass(frozen=True)
class ListMap:
    """Annotates a list whose entries are told apart by a key; the API server refuses two with the same."""

    key: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}


@dataclass(frozen=True)
class ListSet:
    """Annotates a list of scalars; the API server refuses the same one twice."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-list-type": "set"}


@dataclass(frozen=True)
class FreeForm:
    """Annotates a value that may be any JSON, null included."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}


@dataclass(frozen=True)
class IntOrString:
    """Annotates a string that may also be written as an integer."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-int-or-string": True}


def with_rules(schema: dict[str, Any], rules: Iterable[Rule]) -> dict[str, Any]:
    """The schema with these rules after those that it has."""
    added = [rule.to_schema() for rule in rules]
    return schema | {VALIDATIONS: [*schema.get(VALIDATIONS, []), *added]} if added else schema
