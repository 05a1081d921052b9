"""Rows in Parquet and out of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from headgate.domain.archive import Form
from headgate.objects.parquet import NotParquet, decode, encode

COLUMNS = {"id": Form.TEXT, "number": Form.INTEGER, "good": Form.BOOLEAN, "at": Form.TIME}
NOON = datetime(2026, 3, 10, 12, 0, 0, 7, tzinfo=UTC)
MICROSECONDS = int((NOON - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
FILE = encode(COLUMNS, [[("a", 2**62, True, MICROSECONDS), ("é", None, None, None)], [("c", -1, False, 0)]])


def test_rows_come_out_as_they_went_in() -> None:
    assert decode(FILE, COLUMNS, by="id") == [
        {"id": "a", "number": 2**62, "good": True, "at": NOON},
        {"id": "é", "number": None, "good": None, "at": None},
        {"id": "c", "number": -1, "good": False, "at": datetime(1970, 1, 1, tzinfo=UTC)},
    ]


def test_only_rows_that_are_wanted_are_given() -> None:
    assert decode(FILE, ("number",), by="id", wanted=frozenset({"c", "x"})) == [{"number": -1}]
    assert decode(FILE, ("number",), by="id", wanted=frozenset()) == []


def test_a_column_that_is_not_there_is_empty() -> None:
    assert decode(FILE, ("id", "later"), by="id")[0] == {"id": "a", "later": None}


def test_a_file_may_have_no_row() -> None:
    assert decode(encode(COLUMNS, []), COLUMNS, by="id") == []
    assert decode(encode(COLUMNS, [[]]), COLUMNS, by="id") == []


@pytest.mark.parametrize("content", [b"", b"PAR1", FILE[:-20], FILE[:-12] + bytes(12)])
def test_what_is_no_parquet_is_refused(content: bytes) -> None:
    with pytest.raises(NotParquet):
        decode(content, COLUMNS, by="id")
