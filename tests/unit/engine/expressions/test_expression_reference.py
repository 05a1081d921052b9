"""The examples of the reference are true."""

from __future__ import annotations

import json
import re
from pathlib import Path

from headgate.engine.expressions.evaluator import CelEvaluator

TEXT = (Path(__file__).parents[4] / "docs" / "reference" / "expressions.md").read_text(encoding="utf-8")
VARIABLES = {"inputs": {"day": "2026-03-01"}, "nodes": {"extract": {"output": {"rows": 3}}}}


async def test_the_examples_have_the_values_that_stand_beside_them() -> None:
    _, examples = TEXT.split("## Examples")
    rows = re.findall(r"^\| `(.+)` \| `(.+)` \|$", examples.split("##")[0], re.MULTILINE)
    evaluator = CelEvaluator(children=1)

    values = await evaluator.evaluate_many([expression for expression, _ in rows], VARIABLES)

    await evaluator.aclose()
    assert len(rows) > 10
    assert values == [json.loads(value) for _, value in rows]
