"""Runs the failed nodes of a run again, and what comes after them."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.domain.audit import Action, Actor
from headgate.domain.graph import NodeState
from headgate.domain.repetition import to_repeat
from headgate.engine.acts import steered
from headgate.engine.audit import record
from headgate.engine.context import Context, run_key
from headgate.engine.definitions.definition import Definition, UnreadableVersion
from headgate.engine.starting.admission import decide, follow_up, refused
from headgate.engine.steps.facts import Facts
from headgate.engine.steps.outcome import states_of
from headgate.engine.types import Effects, NoRoom
from headgate.store import control, run_facts, runs, starting
from headgate.store.database import Transaction
from headgate.store.recording import Room
from headgate.store.records import StepRow, size
from headgate.store.runs import LoadedRun


async def retry_run(
    context: Context, workspace_id: UUID, run_id: UUID, number: int, by: Actor | None = None
) -> tuple[Effects, Room]:
    """Queue a run that failed or was cancelled once more, in one transaction. See ``RunControl.retry``."""
    key = run_key(workspace_id, run_id)
    if key is None:
        return Effects(), Room()
    async with context.database.tenant(workspace_id, lock=run_id) as tx:
        run = await runs.load(tx, key)
        if run is None:
            return Effects(), Room()
        effects, room = Effects(frozenset([run_id])), Room()
        if run.status not in (RunPhase.FAILED, RunPhase.CANCELLED) or number <= run.retries:
            return effects, room
        try:
            definition = await context.definitions.get(tx, workspace_id, run.version_id)
        except UnreadableVersion:
            return effects, room
        states = states_of(definition.graph, run)
        repeated = to_repeat(definition.graph, states)
        if run.apart.is_normal:
            await control.queue(tx, key, context.now(), retries=number, steps=_reset(repeated))
            room = Room(waiting=True)
        else:
            effects |= await _start_apart(context, tx, definition, run, number, states, repeated)
        await record(tx, workspace_id, context.now(), steered(by, Action.RUN_RETRY, run_id))
    return effects, room


async def _start_apart(
    context: Context,
    tx: Transaction,
    definition: Definition,
    run: LoadedRun,
    number: int,
    states: Mapping[str, NodeState],
    repeated: Mapping[str, NodeState],
) -> Effects:
    """Start a Test or Debug run anew, which never waits, and counts for nothing then either. Raises ``NoRoom``."""
    key, now, apart = run.key, context.now(), run.apart.again(repeated)
    inputs, _, event = await run_facts.facts(tx, key, ())
    facts = Facts(tx, key, definition.workflow_id, inputs, event)
    anew = await decide(context, definition, key, {**states, **repeated}, facts, now, apart=apart)
    await control.queue(tx, key, now, retries=number, steps=_reset(repeated), counted=False)
    if apart != run.apart:
        await control.note(tx, key, apart.options(), now)
    # What it was given was counted when it started first.
    verdict = await starting.start(tx, anew, kept=0, own=size(inputs) + size(event))
    if verdict is None:
        raise AssertionError("unreachable: it was queued in this transaction")
    if verdict.reason is not None:
        raise NoRoom(refused(verdict))
    return await follow_up(tx, anew, verdict)


def _reset(states: Mapping[str, NodeState]) -> tuple[StepRow, ...]:
    return tuple(StepRow(node, state.attempt, state.phase.value) for node, state in states.items())
