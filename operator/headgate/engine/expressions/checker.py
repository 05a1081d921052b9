"""Finds what is wrong with a workflow's expressions before a run does."""

from __future__ import annotations

from typing import Protocol

from headgate.api.workflow import WorkflowSpec
from headgate.domain.expressions import expressions_of, mutex_expressions, problems
from headgate.domain.webhook_expressions import webhook_expressions, webhook_problems


class Compiler(Protocol):
    """Tells whether expressions can be compiled."""

    async def check_many(self, expressions: list[str]) -> list[str | None]:
        """What is wrong with each expression, in order; None where it is good."""
        ...


class ExpressionChecker:
    """Looks at every expression of a workflow: at the names in it, and whether it compiles."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler

    async def problems(self, spec: WorkflowSpec) -> tuple[str, ...]:
        """What is wrong, each naming the node and what to change; empty when all is good."""
        owned = [(f"node {node.id}", expression) for node in spec.nodes for expression in expressions_of(node)]
        owned += [(f"node {node.id}", expression) for node in spec.nodes for expression in webhook_expressions(node)]
        owned += [(f"output {output.name}", output.expression) for output in spec.outputs]
        owned += [("concurrency.mutex", expression) for expression in mutex_expressions(spec)]
        named = (*problems(spec), *webhook_problems(spec))
        if not owned:
            return named
        verdicts = await self._compiler.check_many([expression for _, expression in owned])
        compiled = (f"{owner}: {verdict}" for (owner, _), verdict in zip(owned, verdicts, strict=True) if verdict)
        return (*named, *compiled)
