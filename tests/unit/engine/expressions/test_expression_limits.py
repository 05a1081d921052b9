"""No expression takes more than its share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.engine.expressions.protocol import Limits
from headgate.engine.types import ExpressionError

MANY = {"inputs": {"many": list(range(6000)), "long": "x" * 30_000}}
SLOW = "inputs.many.map(x, x * 2)"
"""Takes about a second: the library copies the list for every element."""
LARGE = "inputs.many.filter(x, x < 2000).map(x, inputs.long + inputs.long + inputs.long)"
"""Takes about 250 MB."""
PATIENT = Limits(expression_seconds=20, request_seconds=20)

Evaluate = Callable[..., Awaitable[Any]]


@pytest.fixture
async def evaluator_with() -> AsyncIterator[Callable[[Limits], CelEvaluator]]:
    made: list[CelEvaluator] = []

    def make(limits: Limits) -> CelEvaluator:
        # What is limited here is the time of a processor: for that a busy machine may take long.
        made.append(CelEvaluator(limits, children=1, patience_seconds=120))
        return made[-1]

    yield make
    for evaluator in made:
        await evaluator.aclose()


@pytest.fixture
def evaluator(evaluator_with: Callable[[Limits], CelEvaluator]) -> CelEvaluator:
    return evaluator_with(Limits())


async def complaint(evaluator: CelEvaluator, expression: str, variables: Any) -> str:
    with pytest.raises(ExpressionError) as raised:
        await evaluator.evaluate(expression, variables)
    return str(raised.value)


async def test_an_expression_that_takes_too_long_is_ended(evaluator: CelEvaluator) -> None:
    assert "more than 50 ms" in await complaint(evaluator, SLOW, MANY)


async def test_the_others_of_a_request_do_not_suffer_from_one_that_takes_too_long(evaluator: CelEvaluator) -> None:
    before, slow, after = await evaluator.evaluate_many(["inputs.many[1]", SLOW, "inputs.many[2]"], MANY)

    assert (before, after) == (1, 2)
    assert isinstance(slow, ExpressionError)


async def test_a_request_whose_expressions_keep_being_stopped_is_given_up(evaluator: CelEvaluator) -> None:
    first, *others = await evaluator.evaluate_many(["1", *[SLOW] * 5, "2"], MANY)

    assert first == 1
    assert ["more than 50 ms" in str(other) for other in others] == [True, True, True, False, False, False]
    assert all("too many of the expressions" in str(other) for other in others[3:])


async def test_the_others_of_a_request_do_not_suffer_from_one_that_takes_too_much_memory(
    evaluator_with: Callable[[Limits], CelEvaluator],
) -> None:
    before, large, after = await evaluator_with(PATIENT).evaluate_many(["1", LARGE, "2"], MANY)

    assert (before, after) == (1, 2)
    assert "memory" in str(large)


async def test_a_comprehension_in_a_comprehension_is_stopped(evaluator_with: Callable[[Limits], CelEvaluator]) -> None:
    told = await complaint(evaluator_with(PATIENT), "inputs.many.all(a, inputs.many.all(b, true))", MANY)

    assert "too many elements" in told


async def test_a_request_has_a_time_for_all_its_expressions(evaluator_with: Callable[[Limits], CelEvaluator]) -> None:
    # A kernel may count processor time in ticks of several milliseconds: the many together take dozens of them.
    evaluator = evaluator_with(Limits(request_seconds=0.004))

    first, *_, last = await evaluator.evaluate_many([*["inputs.many.all(x, x >= 0)"] * 200, "1"], MANY)

    assert first is True
    assert "used up the time" in str(last)


async def test_an_expression_that_takes_too_much_memory_is_refused(
    evaluator_with: Callable[[Limits], CelEvaluator],
) -> None:
    evaluator = evaluator_with(PATIENT)

    assert "more than 128 MB of memory" in await complaint(evaluator, LARGE, MANY)
    assert await evaluator.evaluate("inputs.many[5]", MANY) == 5


async def test_the_same_expression_fits_in_more_memory(evaluator_with: Callable[[Limits], CelEvaluator]) -> None:
    evaluator = evaluator_with(Limits(expression_seconds=20, request_seconds=20, memory_bytes=2**30))

    assert await evaluator.evaluate(f"{LARGE}.size()", MANY) == 2000


async def test_variables_have_a_size(evaluator: CelEvaluator) -> None:
    fits = {"inputs": {"text": "x" * (64 * 1024 - len('{"inputs":{"text":""}}'))}}
    too_large = {"inputs": {"text": fits["inputs"]["text"] + "x"}}

    assert await evaluator.evaluate("size(inputs.text)", fits) == len(fits["inputs"]["text"])
    assert "65537 bytes of JSON; 65536 are allowed" in await complaint(evaluator, "1", too_large)


async def test_expressions_have_a_length(evaluator: CelEvaluator) -> None:
    fits = "1".rjust(1024)

    assert await evaluator.evaluate(fits, {}) == 1
    assert "1025 characters; 1024 are allowed" in await complaint(evaluator, " " + fits, {})


async def test_results_have_a_size(evaluator: CelEvaluator) -> None:
    told = await complaint(evaluator, "[inputs.long, inputs.long, inputs.long]", MANY)

    assert "90010 bytes of JSON; 65536 are allowed" in told


@pytest.mark.parametrize("depth", [300, 1000, 1020])
async def test_deep_values_are_refused_or_returned_but_harm_nobody(evaluator: CelEvaluator, depth: int) -> None:
    deep: Any = []
    for _ in range(depth):
        deep = [deep]

    [result, after] = await evaluator.evaluate_many(["inputs.deep", "1"], {"inputs": {"deep": deep}})

    assert isinstance(result, ExpressionError)
    assert after == 1 or isinstance(after, ExpressionError)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"inputs": {"n": 2**64}}, "64-bit"),
        ({"inputs": {"path": Path("/")}}, "not JSON"),
        ({"inputs": {"text": "a\0b"}}, "NUL"),
        ({"inputs": {"a\0b": 1}}, "NUL"),
    ],
)
async def test_variables_that_are_no_json_of_ours_are_refused(
    evaluator: CelEvaluator, variables: Any, message: str
) -> None:
    assert message in await complaint(evaluator, "1", variables)


async def test_a_backslash_before_zeros_is_no_nul(evaluator: CelEvaluator) -> None:
    assert await evaluator.evaluate("inputs.text", {"inputs": {"text": r"\u0000"}}) == r"\u0000"
