"""What is wrong with a workflow's expressions, found before a run does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headgate.api.workflow import WorkflowSpec
from headgate.domain.templates import expressions
from headgate.engine.expressions.evaluator import CelEvaluator


class ExpressionChecker:
    """Compiles every expression of a spec, in one round trip to a child process."""

    def __init__(self, evaluator: CelEvaluator) -> None:
        self._evaluator = evaluator

    async def problems(self, spec: WorkflowSpec) -> Sequence[str]:
        """What is wrong, each naming the node and what to change; empty when all is good."""
        found = list(_expressions(spec))
        verdicts = await self._evaluator.check_many([expression for _, expression in found]) if found else []
        return [
            f"node {node}: {problem}" for (node, _), problem in zip(found, verdicts, strict=True) if problem is not None
        ]


def _expressions(spec: WorkflowSpec) -> Iterator[tuple[str, str]]:
    for node in spec.nodes:
        if node.config.expression is not None:
            yield node.id, node.config.expression
        if node.config.container is not None:
            for expression in dict.fromkeys(expressions(node.config.container.to_wire())):
                yield node.id, expression
