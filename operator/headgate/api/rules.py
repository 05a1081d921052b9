"""What the API server checks beyond shapes: CEL rules and list semantics, declared beside the models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from headgate.api.json_depth import MOST_LEVELS, is_too_deep

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A CEL rule over one value, ``self``, that the API server evaluates on every write.

    Used as an annotation of a scalar, list or map, or in ``rules`` of a model. The message says what to change.
    A rule that names ``oldSelf`` is evaluated on updates only.

    Only what Kubernetes 1.32 lets new rules use: its libraries as of 1.31, so no comprehensions over two variables.
    The API server refuses a definition whose rules could cost too much, which is why everything that rules look at
    has a size limit. Of an int-or-string value 1.32 takes no notice of the limit and counts 3 MB: such values are to
    be compared with constants only (``self[k] >= '0'``), or parsed a fixed number of times.
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
    at: str = ""
    """The field below ``self`` that the violation is reported at, such as ``.name``; ``self`` when empty."""

    def to_schema(self) -> dict[str, str]:
        """The rule as it stands in the definition."""
        schema = {"rule": " ".join(self.cel.split()), "message": self.message}
        if self.message_cel:
            schema["messageExpression"] = " ".join(self.message_cel.split())
        if self.reason != "FieldValueInvalid":
            schema["reason"] = self.reason
        if self.at:
            schema["fieldPath"] = self.at
        return schema

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return with_rules(handler(core), [self])


@dataclass(frozen=True, kw_only=True)
class Form:
    """Annotates a string with the form that it must have, and with words for it.

    Python checks the pattern; the API server checks the same one by a rule, because its own message for a pattern
    shows the regular expression alone. The pattern is RE2 without quotes, anchored at both ends.
    """

    pattern: str
    message: str

    def rule(self) -> Rule:
        """The form as a rule."""
        return Rule(cel=matches(self.pattern), message=self.message)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        if schema["type"] != "str":
            raise TypeError(f"only a string has a form, not {schema['type']}")
        return {**schema, "pattern": self.pattern}

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return with_rules(handler(core), [self.rule()])


@dataclass(frozen=True)
class ListMap:
    """Annotates a list whose entries are told apart by keys; the API server refuses two with the same ones."""

    keys: tuple[str, ...]

    def __init__(self, *keys: str) -> None:
        object.__setattr__(self, "keys", keys)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(self.keys)}


@dataclass(frozen=True)
class ListSet:
    """Annotates a list of scalars; the API server refuses the same one twice."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-list-type": "set"}


@dataclass(frozen=True)
class FreeForm:
    """Annotates a value that may be any JSON, null included, of a depth that every program can read.

    No rule of the API server can bound the depth, so that is found when the object is read.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(_of_bounded_depth, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}


@dataclass(frozen=True)
class IntOrString:
    """Annotates a string that may also be written as an integer."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-int-or-string": True}


def _of_bounded_depth(value: Any) -> Any:
    if is_too_deep(value):
        raise ValueError(f"flatten it: lists and objects are nested in more than {MOST_LEVELS} levels")
    return value


def with_rules(schema: dict[str, Any], rules: Iterable[Rule]) -> dict[str, Any]:
    """The schema with these rules after those that it has."""
    added = [rule.to_schema() for rule in rules]
    return schema | {VALIDATIONS: [*schema.get(VALIDATIONS, []), *added]} if added else schema


def name_fits_label(kind: str) -> Rule:
    """The rule that an object's name can be the value of a label, for kinds of which children carry the name."""
    return Rule(
        cel="self.metadata.name.size() <= 63",
        message=f"shorten it to 63 characters: the name of a {kind} becomes a label of its children",
        at=".metadata.name",
    )


def matches(pattern: str) -> str:
    """CEL that is true when ``self`` matches the pattern, which has no quotes."""
    return f"self.matches(r'{pattern}')"


def bind(name: str, value: str, body: str) -> str:
    """CEL that reads as ``body`` with ``name`` standing for ``value``, which is evaluated once."""
    return f"[{value}].map({name}, {body})[0]"


def exactly_one(names: Iterable[str]) -> str:
    """CEL that is true when exactly one of these fields of ``self`` is there."""
    return f"[{', '.join(f'has(self.{name})' for name in names)}].exists_one(present, present)"


def listed(words: Iterable[str], *, last: str = "or") -> str:
    """The words as a person lists them: ``a, b or c``."""
    *head, tail = words
    return f"{', '.join(head)} {last} {tail}" if head else tail
