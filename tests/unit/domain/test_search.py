"""What may be looked for, and where pages begin."""

from __future__ import annotations

from uuid import UUID

import pytest

from headgate.domain.search import LONGEST, Place, parse_place, words_of

SOMETHING = UUID(int=7)


@pytest.mark.parametrize(
    "query", ["timeout", 'disk "is full" -tmp', "über", "7", "x" * LONGEST, '-"next to"', "a or b"]
)
def test_words_stay_as_they_are(query: str) -> None:
    assert words_of(query) == query


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("db-1.example.com:5432 refused", '"db 1 example com 5432" refused'),
        ("-db-1", '-"db 1"'),
        ("ExitCode", '"Exit Code"'),
        ('"no ExitCode!" <nil>', '"no Exit Code" nil'),
        ('odd "quotes', "odd quotes"),
        ("a ... -- b", "a b"),
        ('"or"', '"or"'),
    ],
)
def test_what_documents_have_as_several_words_is_looked_for_as_several(query: str, words: str) -> None:
    assert words_of(query) == words


@pytest.mark.parametrize(
    ("query", "what"),
    [("", "no word"), ('"-" ...', "no word"), ("a\0b", "no word"), ("x" * (LONGEST + 1), f"{LONGEST} at most")],
)
def test_what_is_none_says_what_to_change(query: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        words_of(query)


@pytest.mark.parametrize("rank", [0.6079271, 1e-20, 0.1, 1 / 3])
def test_a_place_is_written_without_losing_a_digit(rank: float) -> None:
    assert parse_place(str(Place(rank, SOMETHING))) == Place(rank, SOMETHING)


@pytest.mark.parametrize("text", ["", "0.5", "0.5:x", f"x:{SOMETHING}", f"nan:{SOMETHING}", f"inf:{SOMETHING}"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        parse_place(text)
