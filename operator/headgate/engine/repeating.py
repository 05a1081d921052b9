"""Whether a failed attempt is repeated, where the node says on what that depends."""

from __future__ import annotations

from collections.abc import Callable

from headgate.api.node import Node
from headgate.engine.definition import Definition
from headgate.engine.facts import Facts
from headgate.engine.types import Evaluator, ExpressionError
from headgate.store.records import RunKey, StepRow


async def refusal_to_repeat(
    evaluator: Evaluator, definition: Definition, node: Node, key: RunKey, facts: Facts, ended: StepRow
) -> str | None:
    """Why the attempt is not repeated, as ``retry.when`` has it; None where it is."""
    expression = node.retry.when
    if expression is None:
        return None
    names = definition.reads.get(node.id, frozenset())
    inputs, outputs = await facts.known(names)
    variables = {
        "inputs": inputs,
        "nodes": {name: {"output": outputs.get(name)} for name in names},
        "run": {"id": str(key.id), "workflow": definition.workflow},
        "event": facts.event,
        "attempt": {
            "number": ended.attempt,
            "reason": ended.reason,
            "message": ended.message,
            "exitCode": ended.exit_code,
        },
    }
    (value,) = await evaluator.evaluate_many((expression,), variables)
    if isinstance(value, ExpressionError):
        return f"it is not repeated, as retry.when cannot be evaluated: {value}"
    return None if value is True else "it is not repeated: retry.when is not true"


def luck(randomness: Callable[[int], bytes]) -> float:
    """A number from 0 to 1."""
    return int.from_bytes(randomness(2)) / 65535
