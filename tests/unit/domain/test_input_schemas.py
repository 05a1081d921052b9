from __future__ import annotations

from typing import Any

import pytest

from headgate.api.inputs import Input
from headgate.domain.input_schemas import SCHEMA_DEPTH, InputSchema, problem


def nested(levels: int) -> dict[str, Any]:
    """A schema that is so many maps deep."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels - 1):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "minimum": 1}, 3),
        ({"type": "integer"}, 10**30),
        ({"enum": ["red", "green"]}, "red"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "abc"),
        ({"type": "string", "format": "date"}, "2026-03-10"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "x"),
        ({"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}, {"n": 1.5}),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": "any"}, []),
        (nested(SCHEMA_DEPTH), [[[]]]),
    ],
)
def test_a_value_that_fits_has_no_problem(schema: dict[str, Any], value: Any) -> None:
    assert InputSchema.of(schema).problem(value) is None


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"type": "integer", "minimum": 1}, 0, "the value is less than the minimum of 1"),
        ({"type": "integer"}, "3", 'the value is not of type "integer"'),
        ({"enum": ["red", "green"]}, "blue", 'the value is not one of "red" or "green"'),
        ({"type": "string", "format": "date"}, "2026-13-10", 'the value is not a "date"'),
        ({"pattern": "^[a-z]+$"}, "ABC", 'the value does not match "^[a-z]+$"'),
        (
            {"properties": {"rows": {"items": {"maximum": 9}}}},
            {"rows": [1, 10]},
            "at /rows/1: the value is greater than the maximum of 9",
        ),
        ({"required": ["n"]}, {}, '"n" is a required property'),
    ],
)
def test_a_value_that_does_not_fit_is_told_where_and_why_without_being_quoted(
    schema: dict[str, Any], value: Any, words: str
) -> None:
    assert InputSchema.of(schema).problem(value) == words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "text"}, "the schema is not valid: "),
        ({"minimum": "1"}, "the schema is not valid: at /minimum: "),
        ({"pattern": "("}, "the schema is not valid: at /pattern: "),
        ({"pattern": "(?=a)b"}, "the schema is not valid: at /pattern: "),
        ({"pattern": r"(a)\1"}, "the schema is not valid: at /pattern: "),
        ({"pattern": "(a{1,1000}){1,1000}"}, "the schema is not valid: at /pattern: "),
        ({"$ref": "https://example.com/schema"}, "the schema has $ref: references are not followed"),
        ({"properties": {"a": {"items": {"$ref": "#"}}}}, "the schema has $ref: references are not followed"),
        ({"allOf": [{"$dynamicRef": "#a"}]}, "the schema has $dynamicRef: "),
        ({"$defs": {"a": {}}}, "the schema has $defs: "),
        ({"$id": "https://example.com/schema"}, "the schema has $id: "),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "$schema is another dialect"),
        ({"allOf": [{"unevaluatedProperties": False}]}, "the schema has unevaluatedProperties, which is not supported"),
        (nested(SCHEMA_DEPTH + 1), "the schema is more than 16 maps and lists deep"),
        (nested(5000), "the schema is more than 16 maps and lists deep"),
        ({"enum": ["x" * 5000]}, "the schema has 5013 bytes as JSON; the limit is 4096"),
    ],
)
def test_a_schema_that_is_wrong_or_could_cost_too_much_is_not_accepted(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).*") as refused:
        InputSchema.of(schema)
    assert str(refused.value).startswith(words)


def test_a_large_value_is_not_held_against_a_large_schema() -> None:
    schema = InputSchema.of({"items": {"allOf": [{"not": {"const": n}} for n in range(150)]}})

    assert schema.problem([7777] * 100) is None
    assert "too large for so large a schema" in str(schema.problem([7777] * 12_000))


def test_of_a_large_value_alternatives_are_not_searched_for_the_place() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(5):
        schema = {"anyOf": [{"items": schema}, {"items": schema}]}
    value: Any = 1
    for _ in range(5):
        value = [value] * 5

    assert InputSchema.of(schema).problem(value) == "the value does not fit its schema"
    assert "anyOf" in str(InputSchema.of(schema).problem([[[[[1]]]]]))


def test_a_value_that_is_nested_without_end_does_not_fit() -> None:
    value: Any = "x"
    for _ in range(900):
        value = [value]

    assert InputSchema.of({"enum": [1]}).problem(value) == "Recursion limit reached"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, None),
        ({"schema": {"type": "integer"}}, None),
        ({"schema": {"type": "integer"}, "default": 3}, None),
        (
            {"schema": {"type": "integer"}, "default": "x"},
            "input n: the default does not fit the schema: the value is not",
        ),
        ({"schema": {"type": "text"}}, "input n: the schema is not valid"),
    ],
)
def test_an_input_is_held_to_its_schema_with_its_default(members: dict[str, Any], words: str | None) -> None:
    found = problem(Input.model_validate({"name": "n", **members}))

    assert found == words or (words is not None and str(found).startswith(words))
