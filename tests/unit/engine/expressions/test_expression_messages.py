"""What the author of an expression is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.engine.types import ExpressionError

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def evaluator() -> AsyncIterator[CelEvaluator]:
    evaluator = CelEvaluator(children=1)
    yield evaluator
    await evaluator.aclose()


async def complaint(evaluator: CelEvaluator, expression: str, inputs: Any = None) -> str:
    with pytest.raises(ExpressionError) as raised:
        await evaluator.evaluate(expression, {"inputs": inputs or {}, "nodes": {}})
    return str(raised.value)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("day", "'day': unknown name day (column 1)"),
        ("input.day", "'input.day': unknown name input.day (column 6)"),
        ("inputs.day", "'inputs.day': no such key: \"day\" (has(...) tells whether there is one)"),
        ("inputs.day.x", "'inputs.day.x': no such key: \"day\" (has(...) tells whether there is one)"),
        ("1 + 'a'", "\"1 + 'a'\": + does not take (int, string) (column 3)"),
        ("1 == 'a'", "\"1 == 'a'\": == does not take (int, string) (column 3)"),
        ("1 +", "'1 +': syntax error: the expression ends too early (column 4)"),
        ("1 2", "'1 2': syntax error at '2' (column 3)"),
        ("1 / 0", "'1 / 0': divide by zero"),
        ("[1][3]", "'[1][3]': no index 3 in a list of 1"),
        ("len('a')", "\"len('a')\": unknown name len (column 4)"),
        ("'a'.matches('(')", "\"'a'.matches('(')\": invalid regular expression: missing ): ("),
        ("int('x')", "\"int('x')\": cannot convert string to int"),
    ],
)
async def test_messages_name_the_expression_and_the_problem(
    evaluator: CelEvaluator, expression: str, message: str
) -> None:
    assert await complaint(evaluator, expression) == message


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("inputs.n + 'a'", "+ does not take (int64, string)"),
        ("inputs.n ? 1 : 2", "the condition before ? is neither true nor false"),
        ("!inputs.n", "! does not take operands of these types"),
        ("inputs.n.map(x, x)", "only lists and maps can be iterated over"),
        ("inputs.n.field", "a field is read from a value that is not a map"),
        ("inputs.l['a']", "list index: expected integer type, got string"),
        ("inputs.n.startsWith('a')", "(int64).startsWith does not take (string)"),
    ],
)
async def test_messages_name_values_of_the_wrong_type(evaluator: CelEvaluator, expression: str, message: str) -> None:
    told = await complaint(evaluator, expression, {"n": 3, "l": [1]})
    assert told.endswith(": " + message)


@pytest.mark.parametrize("expression", ["1 +\n" * 200 + "x", "x" * 1000, "(" * 100, "'" + "a\\q" * 300, "\u202e" * 900])
async def test_messages_are_one_short_line(evaluator: CelEvaluator, expression: str) -> None:
    told = await complaint(evaluator, expression)

    assert len(told) <= 300
    assert "\n" not in told
    assert "Traceback" not in told


async def test_a_mistake_in_a_later_line_names_the_line(evaluator: CelEvaluator) -> None:
    assert "(line 2, column 7)" in await complaint(evaluator, "1 +\n  2 + nope")


async def test_checking_finds_mistakes_without_values(evaluator: CelEvaluator) -> None:
    assert await evaluator.check("nodes.extract.output.rows > inputs.limit") is None
    assert await evaluator.check("nodes.extract.output.rows >") == (
        "'nodes.extract.output.rows >': syntax error: the expression ends too early (column 28)"
    )


async def test_checking_many_answers_in_order(evaluator: CelEvaluator) -> None:
    good, bad, long = await evaluator.check_many(["inputs.a", "secrets.a", "1" * 2000])

    assert good is None
    assert bad is not None
    assert "unknown name secrets" in bad
    assert long is not None
    assert "2000 characters" in long
