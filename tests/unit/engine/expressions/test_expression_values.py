"""What expressions can compute, through a real child process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.engine.types import Evaluator, ExpressionError

pytestmark = pytest.mark.asyncio(loop_scope="module")

VARIABLES = {
    "inputs": {"day": "2026-03-01", "limit": 10},
    "nodes": {
        "extract": {"output": {"rows": 3, "ratio": 0.5, "names": ["a", "b"], "nothing": None}},
        "load-all": {"output": 7},
    },
}

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def evaluator() -> AsyncIterator[Evaluator]:
    evaluator = CelEvaluator(children=1)
    yield evaluator
    await evaluator.aclose()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("nodes.extract.output.rows > 0", True),
        ("nodes.extract.output.rows * inputs.limit", 30),
        ("nodes.extract.output.ratio + 1.0", 1.5),
        ("nodes.extract.output.nothing", None),
        ("nodes.extract.output.names.map(name, name.upperAscii())", ["A", "B"]),
        ("nodes.extract.output.rows > 5 ? 'many' : 'few'", "few"),
        ("{'day': inputs.day}", {"day": "2026-03-01"}),
        ('nodes["load-all"].output', 7),
        ("has(nodes.report)", False),
        ("nodes[?'report'].orValue('none')", "none"),
        ("math.greatest(inputs.limit, 20)", 20),
        ("inputs.day.split('-')", ["2026", "03", "01"]),
    ],
)
async def test_expressions_read_inputs_and_outputs(evaluator: Evaluator, expression: str, value: Any) -> None:
    assert await evaluator.evaluate(expression, VARIABLES) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("b'abc'", "YWJj"),
        ("timestamp('2026-03-01T12:00:00+02:00')", "2026-03-01T10:00:00Z"),
        ("duration('1m30s500ms')", "90.5s"),
        ("duration('2h')", "7200s"),
        ("type(1)", "int"),
        ("7u", 7),
        ("{1: 'a', 2: 'b'}", {"1": "a", "2": "b"}),
        ("{true: 'a'}", {"true": "a"}),
        ("timestamp('2026-07-01T00:00:00Z').getHours('Europe/Berlin')", 2),
    ],
)
async def test_what_json_does_not_know_gets_its_usual_form(evaluator: Evaluator, expression: str, value: Any) -> None:
    assert await evaluator.evaluate(expression, {}) == value


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("18446744073709551615u", "beyond 64 bit"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("1.0 / 0.0", "JSON cannot express"),
        ("0.0 / 0.0", "JSON cannot express"),
        ("{1: 'a', '1': 'b'}", "same string"),
        ("optional.of(1)", "add .orValue(...)"),
        ("[optional.none()]", "add .orValue(...)"),
        (r"'a\u0000b'", "NUL character"),
    ],
)
async def test_what_json_cannot_hold_is_an_error(evaluator: Evaluator, expression: str, complaint: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        await evaluator.evaluate(expression, {})
    assert complaint in str(raised.value)


@given(value=JSON)
@settings(max_examples=100, deadline=None)
async def test_every_json_value_comes_back_as_it_went_in(evaluator: Evaluator, value: Any) -> None:
    assert await evaluator.evaluate("inputs.value", {"inputs": {"value": value}}) == value


async def test_many_expressions_are_answered_in_order(evaluator: Evaluator) -> None:
    first, second, third = await evaluator.evaluate_many(["inputs.limit", "inputs.none", "inputs.day"], VARIABLES)

    assert (first, third) == (10, "2026-03-01")
    assert isinstance(second, ExpressionError)


async def test_no_expressions_need_no_answer(evaluator: Evaluator) -> None:
    assert await evaluator.evaluate_many([], VARIABLES) == []
