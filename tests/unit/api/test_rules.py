from __future__ import annotations

import re
from typing import Annotated, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from headgate.api.base import KubeModel
from headgate.api.cron import CRON_PATTERN
from headgate.api.node import Schedule
from headgate.api.rules import Form, ListMap, Rule, bind, exactly_one, listed
from headgate.api.scalars import Duration, PositiveDuration, Quantity
from headgate.api.schema import structural_schema
from headgate.domain.durations import parse_duration
from headgate.domain.schedule import validate
from tests.unit.api.documents import patterns

UPPER = Form(pattern="^[A-Z]+$", message="use capitals")


class Inner(KubeModel):
    """An inner part."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule(cel="has(self.word)\n   || true", message="say a word"),)

    word: Annotated[str, UPPER] | None = None
    """A word."""
    size: int = 3
    """A size."""


class Outer(KubeModel):
    """An outer part."""

    inners: Annotated[tuple[Inner, ...], ListMap("word"), Rule(cel="self.size() > 0", message="add one")] = ()
    """Inner parts."""
    inner: Inner = Inner()
    """One of them."""


class TestWhereRulesEndUp:
    def test_of_a_model_on_every_use_of_it(self) -> None:
        schema = structural_schema(Outer)["properties"]

        expected = [{"rule": "has(self.word) || true", "message": "say a word"}]
        assert schema["inners"]["items"]["x-kubernetes-validations"] == expected

    def test_of_a_field_on_that_field(self) -> None:
        schema = structural_schema(Outer)["properties"]["inners"]

        assert schema["x-kubernetes-validations"] == [{"rule": "self.size() > 0", "message": "add one"}]
        assert schema["x-kubernetes-list-map-keys"] == ["word"]

    def test_of_a_form_in_place_of_its_pattern(self) -> None:
        schema = structural_schema(Inner)["properties"]["word"]

        assert schema["x-kubernetes-validations"] == [{"rule": "self.matches(r'^[A-Z]+$')", "message": "use capitals"}]
        assert "pattern" not in schema

    def test_of_a_form_as_its_pattern_on_what_is_observed(self) -> None:
        schema = structural_schema(Inner, observed=True)["properties"]["word"]

        assert schema["pattern"] == "^[A-Z]+$"

    def test_none_on_what_is_observed(self) -> None:
        schema = structural_schema(Inner, observed=True)

        assert "x-kubernetes-validations" not in schema
        assert "default" not in schema["properties"]["size"]


def test_python_keeps_to_a_form_too() -> None:
    assert Inner(word="ABC").word == "ABC"
    with pytest.raises(ValidationError, match="should match pattern"):
        Inner(word="abc")


def test_only_a_string_has_a_form() -> None:
    with pytest.raises(TypeError, match="only a string has a form"):
        TypeAdapter(Annotated[int, UPPER])


def test_a_keyword_without_structural_form_is_an_error() -> None:
    class Odd(KubeModel):
        """Odd."""

        either: int | str = 1
        """Either."""

    with pytest.raises(ValueError, match="a field is of one type"):
        structural_schema(Odd)


def test_a_bound_name_is_evaluated_once() -> None:
    assert bind("ids", "self.map(n, n.id)", "ids.size() > 0") == "[self.map(n, n.id)].map(ids, ids.size() > 0)[0]"


def test_exactly_one_counts_what_is_there() -> None:
    assert exactly_one(["a", "b"]) == "[has(self.a), has(self.b)].exists_one(present, present)"


@pytest.mark.parametrize(("words", "text"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_words_are_listed_as_people_do(words: list[str], text: str) -> None:
    assert listed(words) == text


CRONS = [
    "* * * * *",
    "*/15 8-18 * * 1-5",
    "0 2 L * *",
    "0 0 1,15 jan-mar *",
    "5 4 * * SUN",
    "0 0 * * 5#2",
    "0\t2 * * 7",
]


@pytest.mark.parametrize("cron", CRONS)
def test_every_kind_of_cron_that_the_operator_reads_has_the_form(cron: str) -> None:
    assert validate(Schedule(cron=cron)) is None


@pytest.mark.parametrize(
    "cron", ["@midnight", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8"]
)
def test_what_is_no_cron_is_refused(cron: str) -> None:
    assert not re.search(CRON_PATTERN, cron)


@given(st.from_regex(patterns(TypeAdapter(Duration).json_schema())[0], fullmatch=True))
def test_every_duration_of_the_form_can_be_read(text: str) -> None:
    if text:
        assert parse_duration(text).days < 5 * 366


@pytest.mark.parametrize("text", ["0s", "0h0m", "000ms"])
def test_nothing_is_no_positive_duration(text: str) -> None:
    rules = TypeAdapter(PositiveDuration).json_schema()["x-kubernetes-validations"]

    assert rules[1]["rule"] == "self.matches('[1-9]')"
    assert not re.search("[1-9]", text)


@pytest.mark.parametrize(("given", "read"), [(2, "2"), ("500m", "500m"), (0, "0")])
def test_a_quantity_may_be_a_number(given: object, read: str) -> None:
    assert TypeAdapter(Quantity).validate_python(given) == read


@pytest.mark.parametrize("given", ["8 GB", "", "1KiB", True, None, "x"])
def test_what_is_no_quantity_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(given)
