"""What tenants hand in is kept to a size and a form that Postgres takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.json_depth import MOST_LEVELS
from headgate.engine.bounds import check_json, clip

anything = st.text(st.characters(codec=None), max_size=60)


@given(anything, st.integers(3, 80))
def test_a_clipped_text_fits_and_holds_nothing_that_postgres_refuses(text: str, limit: int) -> None:
    clipped = clip(text, limit)
    assert len(clipped.encode()) <= limit
    assert "\0" not in clipped


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_a_text_that_fits_stays_as_it_is(text: str) -> None:
    assert clip(text, 80) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | anything,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything, inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_json_is_refused_for_nul_surrogates_and_nan_and_for_nothing_else(value: Any) -> None:
    texts, bad_number = _contents(value)
    bad = bad_number or any("\0" in text or any("\ud800" <= c <= "\udfff" for c in text) for text in texts)
    try:
        check_json(value, 1_000_000, "the value")
    except ValueError:
        assert bad
    else:
        assert not bad


def _contents(value: Any) -> tuple[list[str], bool]:
    """Every text in a value, and whether a number in it has no JSON form."""
    if isinstance(value, str):
        return [value], False
    if isinstance(value, float):
        return [], not math.isfinite(value)
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    found = [_contents(part) for part in parts]
    return [text for texts, _ in found for text in texts], any(bad for _, bad in found)


def test_the_size_is_that_of_compact_json_in_utf_8() -> None:
    value = {"a": ["ü"]}
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    check_json(value, size, "the value")
    with pytest.raises(ValueError, match=rf"the value has {size} bytes as JSON; the limit is {size - 1}"):
        check_json(value, size - 1, "the value")


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"in": inner}])
def test_json_is_nested_in_so_many_levels_and_no_more(wrap: Callable[[Any], Any]) -> None:
    value: Any = 1
    for _ in range(MOST_LEVELS):
        value = wrap(value)
    check_json(value, 1_000_000, "the value")

    with pytest.raises(ValueError, match=f"nested in more than {MOST_LEVELS} levels"):
        check_json(wrap(value), 1_000_000, "the value")


def test_texts_and_lists_beside_each_other_are_no_levels() -> None:
    check_json([["[{" * MOST_LEVELS], *([] for _ in range(MOST_LEVELS))], 1_000_000, "the value")


def test_json_nested_too_deeply_is_refused() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="not JSON"):
        check_json(value, 1_000_000, "the value")
