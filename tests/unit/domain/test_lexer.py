from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.lexer import Kind, tokens


def words(text: str) -> list[str]:
    return [token.text for token in tokens(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.b + 12", ["a", ".", "b", "+", "12"]),
        ("a // the rest is said, not done: b\n + c", ["a", "+", "c"]),
        ("a.`at-two`", ["a", ".", "at-two"]),
        ("'it' + \"is\"", ["it", "+", "is"]),
        (r"'it\'s'", [r"it\'s"]),
        (r"r'\' + b", ["\\", "+", "b"]),
        ("'''a'b\n''' + c", ["a'b\n", "+", "c"]),
        ('"""a"b""" + c', ['a"b', "+", "c"]),
        ("b'x' + rb'y'", ["x", "+", "y"]),
        ("'// no comment'", ["// no comment"]),
        ("''", [""]),
        ("'open\n'", ["'", "open", "'"]),
    ],
)
def test_words_are_told_apart(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_a_name_in_a_string_is_no_name() -> None:
    assert [token.kind for token in tokens("'nodes' nodes")] == [Kind.STRING, Kind.NAME]


@given(st.text("ab'\"\\`rb/{} \n.", max_size=30))
def test_any_text_has_tokens_that_begin_further_and_further_on(text: str) -> None:
    starts = [token.start for token in tokens(text)]

    assert starts == sorted(set(starts))
