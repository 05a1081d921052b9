"""The mutex of a run: the workflow's template, with the run's inputs put in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from headgate.domain import templates
from headgate.engine.bounds import check_json
from headgate.engine.definitions.definition import Definition
from headgate.engine.types import NO_EFFECTS, Effects, Evaluator, ExpressionError, Refused
from headgate.store import pending
from headgate.store.database import Transaction
from headgate.store.starting import Verdict

INVALID_MUTEX = "InvalidMutex"
MUTEX_BYTES = 1024
MOST_TOLD = 20
"""Runs that wait for a mutex and that hear who holds it now: those whose turn comes next."""


async def mutex_of(
    definition: Definition, run_id: UUID, inputs: Mapping[str, Any], evaluator: Evaluator
) -> str | Refused | None:
    """The mutex that the run will hold; None where its workflow has none, or where it comes out empty."""
    template = definition.spec.concurrency.mutex
    if template is None:
        return None
    expressions = tuple(dict.fromkeys(templates.expressions(template)))
    variables = {"inputs": inputs, "nodes": {}, "run": {"id": str(run_id), "workflow": definition.workflow}}
    values = await evaluator.evaluate_many(expressions, variables) if expressions else []
    problem = next((value for value in values if isinstance(value, ExpressionError)), None)
    if problem is not None:
        return Refused(INVALID_MUTEX, f"concurrency.mutex: {problem}")
    mutex: str = templates.render(template, dict(zip(expressions, values, strict=True)))
    try:
        check_json(mutex, MUTEX_BYTES, "the mutex")
    except ValueError as error:
        return Refused(INVALID_MUTEX, f"concurrency.mutex with its expressions replaced: {error}")
    return mutex or None


async def told_of_holder(tx: Transaction, workspace_id: UUID, verdict: Verdict) -> Effects:
    """Those that wait for the mutex of a run that started wait for that run from now on. Free where it has none."""
    if verdict.reason is not None or verdict.mutex is None:
        return NO_EFFECTS
    return Effects(frozenset(await pending.waiting_for_mutex(tx, workspace_id, verdict.mutex, MOST_TOLD)))
