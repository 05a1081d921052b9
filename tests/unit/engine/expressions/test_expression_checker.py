"""What is wrong with a workflow's expressions is known before a run."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.api.workflow import Concurrency
from headgate.engine.expressions.checker import ExpressionChecker
from headgate.engine.expressions.evaluator import CelEvaluator
from tests.unit.domain.nodes import a_condition, a_spec, a_trigger, an_action


@pytest.fixture
async def checker() -> AsyncIterator[ExpressionChecker]:
    evaluator = CelEvaluator(children=1)
    yield ExpressionChecker(evaluator)
    await evaluator.aclose()


async def test_a_good_workflow_has_no_problems(checker: ExpressionChecker) -> None:
    spec = a_spec(
        a_trigger(), an_action("load", "start"), a_condition("enough", "load", expression="nodes.load.output.rows > 0")
    )

    assert await checker.problems(spec) == ()


async def test_every_mistake_is_told_with_its_node(checker: ExpressionChecker) -> None:
    spec = a_spec(
        a_trigger(),
        an_action("load", "start", args=["${{ inputs.day }}", "${{ 1 + }}"]),
        a_condition("enough", "load", expression="rows > 0"),
    )

    assert await checker.problems(spec) == (
        "node load: there is no input day: declare it in spec.inputs",
        "node load: '1 +': syntax error: the expression ends too early (column 4)",
        "node enough: 'rows > 0': unknown name rows (column 1)",
    )


async def test_so_are_those_in_the_mutex(checker: ExpressionChecker) -> None:
    spec = a_spec(a_trigger()).model_copy(update={"concurrency": Concurrency(mutex="${{ 1 + }}")})

    assert await checker.problems(spec) == (
        "concurrency.mutex: '1 +': syntax error: the expression ends too early (column 4)",
    )
