from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.templates import as_text, expressions, render, unclosed


def test_expressions_are_found_wherever_strings_are() -> None:
    tree = {
        "command": ["run", "--day=${{ inputs.day }}"],
        "env": [{"name": "ROWS", "value": "${{ nodes.a.output }} of ${{nodes.b.output}}"}],
        "port": 80,
        "image": None,
    }

    assert list(expressions(tree)) == ["inputs.day", "nodes.a.output", "nodes.b.output"]


def test_an_expression_that_occurs_twice_is_found_twice() -> None:
    assert list(expressions(["${{ a }}", "${{a}}"])) == ["a", "a"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${{ {'a': {'b': 1}}.a.b }} rows", ["{'a': {'b': 1}}.a.b"]),
        ("${{ '}}' }}", ["'}}'"]),
        ("${{ {'a':1}}}", ["{'a':1}"]),
        ("${{ a }}}}", ["a"]),
        ("${{\n  a +\n  b\n}}", ["a +\n  b"]),
        ("$${{ a }}", ["a"]),
        ("${ a } {{ b }} $( c )", []),
        ("${{ a }", []),
        ("", []),
    ],
)
def test_an_expression_ends_at_the_braces_that_close_it(text: str, found: list[str]) -> None:
    assert list(expressions(text)) == found


def test_what_is_not_closed_is_told() -> None:
    assert list(unclosed({"a": "${{ x }} and ${{ y }", "b": "${{ z }}"})) == ["${{ y }"]


def test_what_is_not_closed_stays_as_it_is() -> None:
    assert render("${{ x }} and ${{ y }", {"x": 1}) == "1 and ${{ y }"


def test_values_take_the_place_of_expressions() -> None:
    tree = {"args": ("--day=${{ day }}", "plain"), "retries": 3}

    assert render(tree, {"day": "monday"}) == {"args": ["--day=monday", "plain"], "retries": 3}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (3, "3"),
        (2.5, "2.5"),
        (True, "true"),
        (None, "null"),
        ({"a": [1, "ü"]}, '{"a":[1,"ü"]}'),
    ],
)
def test_values_become_text(value: Any, text: str) -> None:
    assert as_text(value) == text
    assert render("<${{ v }}>", {"v": value}) == f"<{text}>"


def test_a_value_is_not_read_as_a_template_again() -> None:
    assert render("${{ a }}", {"a": "${{ secrets }}"}) == "${{ secrets }}"


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="day"):
        render("${{ day }}", {})


PLAIN = st.text("ab {}'\"$\n", max_size=8).filter(lambda text: "${{" not in text and not text.endswith(("$", "{")))
EXPRESSIONS = st.sampled_from(["a", "a.b", "{'x': {'y': 1}}", "'}}'", '"it\'s }}"', r"r'\' + b"])


@given(st.lists(st.tuples(PLAIN, EXPRESSIONS), max_size=5), PLAIN)
def test_text_and_expressions_are_told_apart(pieces: list[tuple[str, str]], rest: str) -> None:
    text = "".join(f"{plain}${{{{ {expression} }}}}" for plain, expression in pieces) + rest
    found = [expression for _, expression in pieces]

    assert list(expressions(text)) == found
    assert list(unclosed(text)) == []
    assert render(text, dict.fromkeys(found, "|")) == "".join(plain + "|" for plain, _ in pieces) + rest
