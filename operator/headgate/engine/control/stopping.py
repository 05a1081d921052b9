"""Ends a run gracefully: what runs is asked to end, what waits never starts, and final nodes run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from headgate.api.node import DEFAULT_TIMEOUT, Node
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.audit import Act, Action, Actor
from headgate.domain.durations import parse_duration
from headgate.domain.runner_task import KINDS
from headgate.engine.acts import steered
from headgate.engine.audit import record
from headgate.engine.bounds import clip
from headgate.engine.context import Context, run_key
from headgate.engine.control.cancellation import cut_short
from headgate.engine.control.moving import Writes, move_on
from headgate.engine.control.unreadable import fail_unreadable
from headgate.engine.definitions.definition import Definition, UnreadableVersion
from headgate.engine.steps.ending import conclude
from headgate.engine.steps.outcome import states_of
from headgate.engine.steps.stepping import CANCELLED, early_reason
from headgate.engine.types import Effects, TaskRef
from headgate.store import control, runs
from headgate.store.database import Transaction
from headgate.store.recording import Room
from headgate.store.records import RunKey, StepRow, for_calls, for_runners
from headgate.store.runs import LoadedRun

_LEAST = timedelta(minutes=10)


async def stop_run(
    context: Context, workspace_id: UUID, run_id: UUID, reason: str, by: Actor | None = None
) -> tuple[Effects, Room]:
    """Ask a run to end, in one transaction. See ``RunControl.stop``."""
    key = run_key(workspace_id, run_id)
    if key is None:
        return Effects(), Room()
    act = steered(by, Action.RUN_CANCEL, run_id, reason)
    try:
        return await _stop(context, key, reason, act)
    except UnreadableVersion as problem:
        return await fail_unreadable(context, key, problem, act), Room(waiting=True)


async def _stop(context: Context, key: RunKey, reason: str, act: Act | None) -> tuple[Effects, Room]:
    async with context.database.tenant(key.workspace_id, lock=key.id) as tx:
        run = await runs.load(tx, key)
        if run is None or RunPhase(run.status).is_final or run.cancelling:
            return Effects(frozenset([key.id]) if run is not None else frozenset()), Room()
        definition = await context.definitions.get(tx, key.workspace_id, run.version_id)
        if not run.has_place:
            effects = await cut_short(context, tx, definition, run, RunPhase.CANCELLED, CANCELLED, reason)
            room = Room(waiting=True)
        else:
            effects, room = await ask_to_end(context, tx, definition, run, RunPhase.CANCELLED, reason)
        await record(tx, key.workspace_id, context.now(), act)
        return effects, room


async def ask_to_end(
    context: Context, tx: Transaction, definition: Definition, run: LoadedRun, ends_as: RunPhase, reason: str
) -> tuple[Effects, Room]:
    """Let no more of a run that has its place start than final nodes. It comes to ``ends_as`` when they have ended.

    Where it has a deadline, it is not before they had their time. Hold the run's lock.
    """
    key, now = run.key, context.now()
    run = replace(run, cancelling=True, overdue=ends_as is RunPhase.FAILED, error_message=clip(reason))
    deadline = max(run.deadline, now + time_of_final(definition.graph.nodes)) if run.deadline is not None else None
    node_reason = early_reason(ends_as)
    tasks = [task for task in await control.tasks_of(tx, key) if not definition.node(task.node).final]
    # Only a Job, a runner, and a run that was called tell when they have really ended; for anything else there is
    # nothing to wait for.
    stopping = [(task.node, task.attempt) for task in tasks if task.begun and task.kind in ("job", "runner", "call")]
    gone = [(task.node, task.attempt) for task in tasks if (task.node, task.attempt) not in stopping]
    states = states_of(definition.graph, run)
    steps = []
    for name, state in states.items():
        node = definition.node(name)
        # A node that runs for every item of a list ends when they have.
        spreads = node.for_each is not None and state.phase is NodePhase.RUNNING and name == node.id
        if node.final or spreads or state.phase.is_final or (name, state.attempt) in stopping:
            continue
        states[name] = replace(state, phase=NodePhase.CANCELLED, reason=node_reason)
        finished_at = now if state.attempt else None
        steps.append(
            StepRow(
                name,
                state.attempt,
                NodePhase.CANCELLED.value,
                reason=node_reason,
                attempt_finished_at=finished_at,
            )
        )
    writes = Writes(tuple(steps), gone, stopping, ends_as, deadline, run.error_message)
    progress, lost = await move_on(context, tx, definition, run, states, writes, now)
    released = await control.release(tx, key, now) if run.status == RunPhase.SUSPENDED else 0
    effects, room = await conclude(tx, definition, run, progress, now)
    return effects | Effects(
        frozenset([key.id]),
        tasks_queued=bool(progress.tasks or released),
        for_runners=for_runners(progress.tasks) + (KINDS if released else ()),
        to_chain=for_calls(progress.tasks) or bool(released),
        cancelled=_refs(key, lost),
        stopping=_refs(key, stopping),
    ), room


def time_of_final(nodes: Iterable[Node]) -> timedelta:
    """How long final nodes have when the rest of their run was asked to end: what they say, ten minutes at least."""
    said = (parse_duration(node.timeout) for node in nodes if node.final and node.timeout != DEFAULT_TIMEOUT)
    return max(_LEAST, sum(said, timedelta()))


def _refs(key: RunKey, attempts: list[tuple[str, int]]) -> tuple[TaskRef, ...]:
    return tuple(TaskRef(key.workspace_id, key.id, node, attempt) for node, attempt in attempts)
