"""Takes a run as far as it goes by itself: skips, conditions, transforms, and queueing of what is ready."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.api.node import Node
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.apart import NORMAL, Apart
from headgate.domain.durations import parse_duration
from headgate.domain.graph import NodeState, step
from headgate.domain.spread import failures, item_name, items_of, spread
from headgate.domain.storage import LIMIT, StorageLeft
from headgate.engine.bounds import VALUE_BYTES, check_json, clip
from headgate.engine.definitions.definition import OUTPUTS, Definition
from headgate.engine.steps.beginnings import Unready, branch_of, check_value, list_of, memo_key, work_of
from headgate.engine.steps.facts import Facts
from headgate.engine.steps.recorded import merged, told
from headgate.engine.steps.standing_in import stand_in
from headgate.engine.steps.variables import variables
from headgate.engine.types import Evaluator, ExpressionError
from headgate.store.records import StepRow, TaskRow, size

INVALID_OUTPUT = "InvalidOutput"
MEMOIZED = "Memoized"
ITEMS_FAILED = "ItemsFailed"
CANCELLED, TIMEOUT = "Cancelled", "Timeout"


@dataclass(frozen=True)
class Progress:
    """What a run did by itself."""

    states: Mapping[str, NodeState]
    outcome: RunPhase | None
    steps: tuple[StepRow, ...]
    tasks: tuple[TaskRow, ...]
    outputs: Mapping[str, Any] | None = None
    """What the run gives, once it has succeeded and declares outputs."""
    error: str | None = None
    """Why it failed, where that is not the failure of a node."""
    held: str | None = None
    """The breakpoint that it has come to."""


async def advance(
    definition: Definition,
    run_id: UUID,
    states: Mapping[str, NodeState],
    facts: Facts,
    evaluator: Evaluator,
    now: datetime,
    *,
    ends_as: RunPhase | None = None,
    apart: Apart = NORMAL,
    left: StorageLeft | None = None,
) -> Progress:
    """Step the run until everything that is left waits for an attempt, or it has ended.

    Reads ``facts`` only where an expression has to be evaluated. Raises what the evaluator raises besides
    ``ExpressionError``, which fails the node. Where it was asked to end, as ``ends_as``, no further
    item starts, but for final nodes.

    With ``left``, which is needed only where not everything fits, a node whose value finds no room in it fails, and the
    run fails whose own outputs find none.
    """
    walk = _Walk(definition, run_id, dict(states), facts, evaluator, now, ends_as, apart, left)
    while True:
        decided = step(definition.graph, walk.states)
        for node_id, state in decided.skipped.items():
            walk.states[node_id] = state
            walk.steps.append(StepRow(node_id, state.attempt, state.phase.value, reason=state.reason))
        # A run that was asked to end stops nowhere before.
        at = apart.stop(decided.ready, walk.states) if ends_as is None else None
        if at is not None:
            return Progress(walk.states, None, merged(walk.steps), tuple(walk.tasks), held=at)
        for node_id in decided.ready:
            await walk.start(definition.graph.by_id[node_id])
        moved = [await walk.go_on(node) for node in walk.spreading()]
        # What only waits now, to be claimed or for its items, lets nothing follow.
        if not walk.has_ended_nodes(decided.ready) and not any(moved):
            return await walk.ended(decided.outcome)


def early_reason(ends_as: RunPhase | None) -> str:
    """The reason of nodes that end because their run was asked to end, as ``ends_as``."""
    return TIMEOUT if ends_as is RunPhase.FAILED else CANCELLED


@dataclass
class _Walk:
    definition: Definition
    run_id: UUID
    states: dict[str, NodeState]
    facts: Facts
    evaluator: Evaluator
    now: datetime
    ends_as: RunPhase | None
    apart: Apart
    left: StorageLeft | None
    lists: dict[str, list[Any]] = field(default_factory=dict)
    """The items of nodes that run for each of them, as far as they are at hand."""
    steps: list[StepRow] = field(default_factory=list)
    tasks: list[TaskRow] = field(default_factory=list)

    async def start(self, node: Node) -> None:
        """Begin a node that is ready."""
        if not self.apart.is_normal and await self._stood_in_for(node):
            return
        if node.for_each is None:
            await self._begin(node, node.id, {})
            return
        try:
            expression = node.for_each.items
            values = await self._evaluate(node, self.definition.entry.get(node.id, ()), {})
            items = list_of(node, expression, values[expression])
        except Unready as problem:
            self._fail(node.id, problem.reason, str(problem))
            return
        self.lists[node.id] = items
        attempt = self._attempt(node.id)
        if (refused := self._refusal("the list of its items", items)) is not None:
            self._fail(node.id, LIMIT, refused)
            return
        self.states[node.id] = NodeState(NodePhase.RUNNING, attempt)
        # Until they have all ended, the items are kept in the place of the output.
        self.steps.append(StepRow(node.id, attempt, NodePhase.RUNNING.value, output=items, attempt_started_at=self.now))

    async def _stood_in_for(self, node: Node) -> bool:
        """Record a node that does not run in a Test or Debug run. Whether it is one."""
        row = await stand_in(node, self.apart, self.facts)
        if row is None:
            return False
        self.facts.fresh[row.node] = row.output
        self._record(row.node, NodePhase(row.phase), row.reason, row.message, branch=row.branch, output=row.output)
        return True

    def _attempt(self, name: str) -> int:
        """The number of the attempt that is being made: 1, unless the run was retried."""
        state = self.states.get(name)
        return max(1, state.attempt) if state is not None else 1

    def has_ended_nodes(self, names: Iterable[str]) -> bool:
        """Whether one of them has ended."""
        return any(self.states[name].phase.is_final for name in names)

    def spreading(self) -> list[Node]:
        """The nodes that are being run for every item of a list."""
        return [node for node in self.definition.graph.repeated if self.states[node.id].phase is NodePhase.RUNNING]

    async def go_on(self, node: Node) -> bool:
        """Start the next items of a node, or end it. Whether there was anything to do."""
        if node.id not in self.lists:
            self.lists[node.id] = await self.facts.items(node.id)
        items = self.lists[node.id]
        if self.ends_as is not None and not node.final:
            if any(not state.phase.is_final for state in items_of(node.id, self.states).values()):
                return False
            self._record(node.id, NodePhase.CANCELLED, early_reason(self.ends_as), items=items)
            return True
        states = items_of(node.id, self.states)
        decided = spread(node, len(items), states)
        for index in decided.start:
            await self._begin(node, item_name(node.id, index), {"item": items[index], "index": index})
        if decided.phase is None:
            return bool(decided.start)
        said = clip(failures(states, len(items)))
        if decided.phase is NodePhase.FAILED:
            self._record(node.id, NodePhase.FAILED, ITEMS_FAILED, said, items=items)
            return True
        results = await self.facts.results(node.id, len(items))
        try:
            check_json(results, VALUE_BYTES, "the list of all outputs")
        except ValueError as error:
            self._record(node.id, NodePhase.FAILED, INVALID_OUTPUT, str(error), items=items)
            return True
        self.facts.fresh[node.id] = results
        self._record(node.id, NodePhase.SUCCEEDED, "", said, output=results, items=items)
        return True

    async def ended(self, outcome: RunPhase | None) -> Progress:
        """All of it, with the run's outputs where it has succeeded."""
        outputs: dict[str, Any] | None = None
        error = None
        if outcome is RunPhase.SUCCEEDED and self.definition.spec.outputs:
            try:
                outputs = await self._outputs()
            except Unready as problem:
                outcome, error = RunPhase.FAILED, clip(str(problem))
        return Progress(self.states, outcome, merged(self.steps), tuple(self.tasks), outputs, error)

    async def _outputs(self) -> dict[str, Any]:
        declared = self.definition.spec.outputs
        values = await self._values(OUTPUTS, tuple(dict.fromkeys(item.expression for item in declared)), {})
        for item in declared:
            if isinstance(problem := values[item.expression], ExpressionError):
                raise Unready(f"output {item.name}: {problem}")
        outputs = {item.name: values[item.expression] for item in declared}
        try:
            check_json(outputs, VALUE_BYTES, "the outputs of the run together")
        except ValueError as error:
            raise Unready(str(error)) from None
        if (problem := self._refusal("what the run gives", outputs)) is not None:
            raise Unready(f"{LIMIT}: {problem}")
        return outputs

    async def _begin(self, node: Node, name: str, more: Mapping[str, Any]) -> None:
        try:
            values = await self._evaluate(node, self.definition.work.get(node.id, ()), more)
            if node.config.expression is not None:
                value = values[node.config.expression]
                branch = branch_of(node, value)
                self.facts.fresh[name] = value
                self._record(name, NodePhase.SUCCEEDED, branch=branch, output=value)
            elif node.config.transform is not None:
                value = values[node.config.transform.expression]
                check_value(node, node.config.transform.expression, value)
                self.facts.fresh[name] = value
                self._record(name, NodePhase.SUCCEEDED, output=value)
            else:
                await self._queue(node, name, values)
        except Unready as problem:
            self._fail(name, problem.reason, str(problem))

    async def _queue(self, node: Node, name: str, values: Mapping[str, Any]) -> None:
        kind, work = work_of(node, self.definition.configs[node.id], values)
        digest = memo_key(node, values)
        # What a test gives is neither remembered nor taken from what was.
        if node.memoize is not None and digest is not None and self.apart.is_normal:
            since = self.now - parse_duration(node.memoize.max_age)
            known = await self.facts.remembered(node.id, digest, since)
            if known is not None:
                self.facts.fresh[name] = known.output
                self._record(name, NodePhase.SUCCEEDED, MEMOIZED, output=known.output)
                return
            work = {**work, "memo": digest}
        if not self.apart.is_normal:
            kind, work = self.apart.done_by(kind), {**work, "mode": self.apart.mode.value}
        attempt = self._attempt(name)
        self.states[name] = NodeState(NodePhase.QUEUED, attempt)
        self.steps.append(StepRow(name, attempt, NodePhase.QUEUED.value))
        timeout = max(1, math.ceil(parse_duration(node.timeout).total_seconds()))
        # An approval falls due when nobody has decided in time.
        due_at = self.now + timedelta(seconds=timeout) if kind == "approval" else self.now
        task = TaskRow(name, attempt, work, timeout, due_at, kind=kind, first_attempt=attempt)
        self.tasks.append(told(task, self.run_id) if kind == "approval" else task)

    async def _evaluate(self, node: Node, expressions: tuple[str, ...], more: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a node's expressions. Raises ``Unready`` for one that has none."""
        values = await self._values(node.id, expressions, more, final=node.final)
        for value in values.values():
            if isinstance(value, ExpressionError):
                raise Unready(f"node {node.id}: {value}")
        return values

    async def _values(
        self, reader: str, expressions: tuple[str, ...], more: Mapping[str, Any], *, final: bool = False
    ) -> dict[str, Any]:
        if not expressions:
            return {}
        names = self.definition.reads.get(reader, frozenset())
        known = await self.facts.known(names)
        common = variables(
            self.definition, self.run_id, names, known, self.states, self.facts.event, final=final, ends_as=self.ends_as
        )
        read = {**common, **more}
        return dict(zip(expressions, await self.evaluator.evaluate_many(expressions, read), strict=True))

    def _refusal(self, what: str, value: Any, instead: Any = None) -> str | None:
        """Why the value finds no room in the place of another; it takes its room where it does."""
        if self.left is None:
            return None
        more = size(value) - size(instead)
        if not self.left.fits(more):
            return clip(self.left.refusal(what, more))
        self.left = self.left.after(more)
        return None

    def _fail(self, name: str, reason: str, message: str) -> None:
        self._record(name, NodePhase.FAILED, reason, clip(message))

    def _record(
        self,
        name: str,
        phase: NodePhase,
        reason: str = "",
        message: str = "",
        *,
        branch: str | None = None,
        output: Any = None,
        items: list[Any] | None = None,
    ) -> None:
        """``items`` are those that lie in the place of the output until now."""
        if (problem := self._refusal("its value", output, items)) is not None:
            # Of the items, or of nothing, nothing is left.
            self._refusal("", None, items)
            self.facts.fresh.pop(name, None)
            phase, reason, message, branch, output = NodePhase.FAILED, LIMIT, problem, None, None
        attempt = self._attempt(name)
        self.states[name] = NodeState(phase, attempt, branch, reason, message)
        started = None if items is not None else self.now
        self.steps.append(StepRow(name, attempt, phase.value, branch, reason, message, None, output, started, self.now))
