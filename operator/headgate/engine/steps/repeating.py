"""Whether a failed attempt is repeated, where the node says on what that depends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headgate.api.node import Node
from headgate.domain.graph import NodeState
from headgate.engine.definitions.definition import Definition
from headgate.engine.steps.facts import Facts
from headgate.engine.steps.variables import variables
from headgate.engine.types import Evaluator, ExpressionError
from headgate.store.records import StepRow
from headgate.store.runs import LoadedRun


async def refusal_to_repeat(
    evaluator: Evaluator,
    definition: Definition,
    node: Node,
    run: LoadedRun,
    facts: Facts,
    states: Mapping[str, NodeState],
    ended: StepRow,
) -> str | None:
    """Why the attempt is not repeated, as ``retry.when`` has it; None where it is."""
    expression = node.retry.when
    if expression is None:
        return None
    names = definition.reads.get(node.id, frozenset())
    known = await facts.known(names)
    read = {
        **variables(definition, run.key.id, names, known, states, facts.event, final=node.final, ends_as=run.ends_as),
        "attempt": {
            "number": ended.attempt,
            "reason": ended.reason,
            "message": ended.message,
            "exitCode": ended.exit_code,
        },
    }
    (value,) = await evaluator.evaluate_many((expression,), read)
    if isinstance(value, ExpressionError):
        return f"it is not repeated, as retry.when cannot be evaluated: {value}"
    return None if value is True else "it is not repeated: retry.when is not true"


def luck(randomness: Callable[[int], bytes]) -> float:
    """A number from 0 to 1."""
    return int.from_bytes(randomness(2)) / 65535
