"""What may be looked for, and where pages begin."""

from __future__ import annotations

from uuid import UUID

import pytest

from headgate.domain.search import LONGEST, Place, checked, parse_place

SOMETHING = UUID(int=7)


@pytest.mark.parametrize("query", ["timeout", 'disk "is full" -tmp', "über", "7", "x" * LONGEST])
def test_a_query_with_a_word_is_one(query: str) -> None:
    assert checked(query) == query


@pytest.mark.parametrize(
    ("query", "what"),
    [("", "no word"), ('"-" ...', "no word"), ("a\0b", "no word"), ("x" * (LONGEST + 1), f"{LONGEST} at most")],
)
def test_what_is_none_says_what_to_change(query: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        checked(query)


@pytest.mark.parametrize("rank", [0.6079271, 1e-20, 0.1, 1 / 3])
def test_a_place_is_written_without_losing_a_digit(rank: float) -> None:
    assert parse_place(str(Place(rank, SOMETHING))) == Place(rank, SOMETHING)


@pytest.mark.parametrize("text", ["", "0.5", "0.5:x", f"x:{SOMETHING}", f"nan:{SOMETHING}", f"inf:{SOMETHING}"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        parse_place(text)
