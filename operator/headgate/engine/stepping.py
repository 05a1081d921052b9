"""Takes a run as far as it goes by itself: skips, conditions, and queueing of what is ready."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from headgate.api.node import Node, NodeConfig
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.durations import parse_duration
from headgate.domain.graph import NodeState, step
from headgate.domain.templating import rendered
from headgate.engine.bounds import BRANCH_CHARACTERS, VALUE_BYTES, check_json, clip
from headgate.engine.definition import Definition
from headgate.engine.types import Evaluator, ExpressionError
from headgate.store.records import StepRow, TaskRow

Facts = Callable[[frozenset[str]], Awaitable[tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any] | None]]]
"""Gives the run's inputs, the outputs of the nodes asked for that have one, and the event that set the run off."""

INVALID_EXPRESSION = "InvalidExpression"


@dataclass(frozen=True)
class Progress:
    """What a run did by itself."""

    states: Mapping[str, NodeState]
    outcome: RunPhase | None
    steps: tuple[StepRow, ...]
    tasks: tuple[TaskRow, ...]


async def advance(
    definition: Definition,
    run_id: UUID,
    states: Mapping[str, NodeState],
    facts: Facts,
    evaluator: Evaluator,
    now: datetime,
) -> Progress:
    """Step the run until everything that is left waits for an attempt, or it has ended.

    Reads ``facts`` only where an expression has to be evaluated. Raises what the evaluator raises besides
    ``ExpressionError``, which fails the node.
    """
    walk = _Walk(definition, run_id, dict(states), facts, evaluator, now)
    while True:
        decided = step(definition.graph, walk.states)
        for node_id, state in decided.skipped.items():
            walk.states[node_id] = state
            walk.steps.append(StepRow(node_id, 0, state.phase.value, reason=state.reason))
        if not decided.ready:
            return Progress(walk.states, decided.outcome, tuple(walk.steps), tuple(walk.tasks))
        await walk.start([definition.graph.by_id[node_id] for node_id in decided.ready])


class _Unready(Exception):  # noqa: N818 - a state of the node, not a mistake of ours
    """A node whose expressions, or what they gave, are wrong; the message is for the workflow's author."""


@dataclass
class _Walk:
    definition: Definition
    run_id: UUID
    states: dict[str, NodeState]
    facts: Facts
    evaluator: Evaluator
    now: datetime
    fresh: dict[str, Any] = field(default_factory=dict)
    steps: list[StepRow] = field(default_factory=list)
    tasks: list[TaskRow] = field(default_factory=list)

    async def start(self, nodes: list[Node]) -> None:
        asking = frozenset[str]().union(
            *(self.definition.reads[node.id] for node in nodes if node.id in self.definition.expressions)
        )
        wanted = any(node.id in self.definition.expressions for node in nodes)
        inputs, outputs, event = await self.facts(asking) if wanted else ({}, {}, None)
        for node in nodes:
            try:
                values = await self._evaluate(node, inputs, {**outputs, **self.fresh}, event)
                self._begin(node, values)
            except _Unready as problem:
                self._record(node, NodePhase.FAILED, reason=INVALID_EXPRESSION, message=clip(str(problem)))

    async def _evaluate(
        self,
        node: Node,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        event: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        variables = {
            "inputs": inputs,
            "nodes": {
                name: {"output": outputs.get(name), "phase": self.states[name].phase.value}
                for name in self.definition.reads.get(node.id, ())
            },
            "run": {"id": str(self.run_id), "workflow": self.definition.workflow},
            "event": event,
        }
        expressions = self.definition.expressions.get(node.id, ())
        if not expressions:
            return {}
        values = await self.evaluator.evaluate_many(expressions, variables)
        for value in values:
            if isinstance(value, ExpressionError):
                raise _Unready(f"node {node.id}: {value}")
        return dict(zip(expressions, values, strict=True))

    def _begin(self, node: Node, values: Mapping[str, Any]) -> None:
        config = node.config
        if config.expression is not None:
            self._decide(node, values)
        elif config.transform is not None:
            self._transform(node, config.transform.expression, values)
        else:
            self._queue(node, *_work(node, values))

    def _transform(self, node: Node, expression: str, values: Mapping[str, Any]) -> None:
        value = values.get(expression)
        _check_value(node, expression, value)
        self.fresh[node.id] = value
        self._record(node, NodePhase.SUCCEEDED, output=value)

    def _decide(self, node: Node, values: Mapping[str, Any]) -> None:
        expression = node.config.expression or ""
        value = values.get(expression)
        _check_value(node, expression, value)
        if isinstance(value, bool):
            branch = "true" if value else "false"
        elif isinstance(value, str) and len(value) <= BRANCH_CHARACTERS:
            branch = value
        else:
            kind = f"a text of {len(value)} characters" if isinstance(value, str) else type(value).__name__
            raise _Unready(
                f"node {node.id}: expression {expression!r} must give true, false or a branch name of at most "
                f"{BRANCH_CHARACTERS} characters; it gave {kind}"
            )
        self.fresh[node.id] = value
        self._record(node, NodePhase.SUCCEEDED, branch=branch, output=value)

    def _queue(self, node: Node, kind: str, work: Mapping[str, Any]) -> None:
        self.states[node.id] = NodeState(NodePhase.QUEUED, attempt=1)
        self.steps.append(StepRow(node.id, 1, NodePhase.QUEUED.value))
        timeout = max(1, math.ceil(parse_duration(node.timeout).total_seconds()))
        # An approval falls due when nobody has decided in time.
        due_at = self.now + timedelta(seconds=timeout) if kind == "approval" else self.now
        self.tasks.append(TaskRow(node.id, 1, work, timeout, due_at, kind=kind))

    def _record(
        self,
        node: Node,
        phase: NodePhase,
        *,
        branch: str | None = None,
        reason: str = "",
        message: str = "",
        output: Any = None,
    ) -> None:
        self.states[node.id] = NodeState(phase, 1, branch, reason, message)
        self.steps.append(StepRow(node.id, 1, phase.value, branch, reason, message, None, output, self.now, self.now))


def _check_value(node: Node, expression: str, value: Any) -> None:
    """Raise ``_Unready`` when a value could not be stored."""
    try:
        check_json(value, VALUE_BYTES, "its value")
    except ValueError as error:
        raise _Unready(f"node {node.id}: expression {expression!r}: {error}") from None


_KINDS = {
    "container": "job",
    "script": "runner",
    "http": "runner",
    "sql": "runner",
    "workflow": "call",
    "approval": "approval",
}
"""Who does what a member of a config asks for."""


def _work(node: Node, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Kind and content of a task, with the values of its expressions. Raises ``_Unready`` when they do not fit in."""
    config = node.config.to_wire()
    (member,) = config
    if values:
        for expression, value in values.items():
            _check_value(node, expression, value)
        try:
            config = NodeConfig.model_validate(rendered(config, values)).to_wire()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise _Unready(f"node {node.id}: {where} with its expressions replaced: {first['msg']}") from None
    return _KINDS[member], config
