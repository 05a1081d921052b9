"""JSON as Postgres takes it: whatever writes it, the same values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headgate.api.workflow_run import NodePhase
from headgate.store.records import StepRow, rows_to_json, to_json

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def read(text: str) -> Any:
    """What Postgres makes of it: numbers by their digits, not by what a float holds of them."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@given(JSON)
@example([1e16, 1e22, 1.5e300, 5e-324, 1.234e-05, 0.0001, -0.0, 123456789012345680.0, 0.1])
@example([2**63, 2**64, -(2**70)])
@example({"a": "\x7f\u2028é🙂\\u0000\n"})
def test_every_value_is_written_as_the_standard_library_writes_it(value: Any) -> None:
    expected = read(json.dumps(value, ensure_ascii=False))

    # Of numbers the text counts too: Postgres keeps how many digits there are after the point.
    assert repr(read(to_json(value))) == repr(expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC), '"2026-01-02T03:04:05.000060+00:00"'),
        (datetime(1893, 1, 2, tzinfo=timezone(timedelta(minutes=53, seconds=28))), '"1893-01-02T00:00:00+00:53:28"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (UUID(int=7), '"00000000-0000-0000-0000-000000000007"'),
        (Decimal("1E+3"), '"1000"'),
        (NodePhase.QUEUED, '"Queued"'),
        ((1, [2]), "[1,[2]]"),
        ({1: 2}, '{"1":2}'),
        ("\ud800", '"\ud800"'),
    ],
)
def test_what_json_has_not_becomes_a_text(value: Any, text: str) -> None:
    assert to_json(value) == text


def test_rows_are_objects_of_their_fields() -> None:
    [row] = json.loads(rows_to_json([StepRow("work", 1, "Queued", output={"big": 2**80})]))

    assert row == {**vars(StepRow("work", 1, "Queued")), "output": {"big": 2**80}}


@dataclass(frozen=True)
class Other:
    name: str


@pytest.mark.parametrize("value", [Other("a"), {1, 2}, object(), b"bytes"])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no JSON form"):
        to_json(value)
