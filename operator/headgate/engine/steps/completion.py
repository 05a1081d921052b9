"""Records how an attempt ended, and what follows from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.apart import NEEDS_MOCK
from headgate.domain.cost import Rate
from headgate.domain.durations import format_duration, parse_duration
from headgate.domain.graph import NodeState
from headgate.domain.retry import delay_before_next
from headgate.domain.runner_task import RunnerTask
from headgate.domain.storage import LIMIT, StorageLeft
from headgate.engine.bounds import OUTPUT_BYTES, REASON_BYTES, check_json, clip
from headgate.engine.context import Context, run_key
from headgate.engine.control.unreadable import fail_unreadable
from headgate.engine.definitions.definition import Definition, UnreadableVersion
from headgate.engine.steps.ending import ending_of, follow
from headgate.engine.steps.facts import Facts
from headgate.engine.steps.going_on import Claimant, claim, kept
from headgate.engine.steps.outcome import states_of
from headgate.engine.steps.repeating import luck, refusal_to_repeat
from headgate.engine.steps.stepping import Progress, advance, early_reason
from headgate.engine.types import Effects, LeaseLost, Outcome, TaskRef
from headgate.store import memos, recording, runs, storage
from headgate.store.database import Transaction
from headgate.store.recording import Ending, Room
from headgate.store.records import RunKey, StepRow, TaskRow, for_calls, for_runners, size

INVALID_OUTPUT = "InvalidOutput"
_NOT_REPEATED = (LIMIT, NEEDS_MOCK)
"""Repeating an attempt would make no room for its output, and nothing stand in for it; nor another decision."""
Then = Callable[[Transaction], Awaitable[None]]
"""What is to be done in the transaction that records an end, once it is recorded."""
_SUCCEEDED = NodePhase.SUCCEEDED.value


@dataclass(frozen=True)
class Recorded:
    """What recording an end came to."""

    effects: Effects
    room: Room = field(default_factory=Room)
    """Who may start now."""
    following: RunnerTask | None = None
    """What the claimant may go on with."""


async def complete(
    context: Context,
    ref: TaskRef,
    outcome: Outcome,
    *,
    claimant: Claimant | None = None,
    then: Then | None = None,
    wait: bool = True,
) -> Recorded:
    """Record the end of an attempt in one transaction.

    Repeats the attempt where the node's retry says so; otherwise steps the run, and ends it when nothing is left. An
    attempt that is not open, because its end was recorded before or its run was ended, changes nothing; the run is
    named all the same, as the first answer may never have arrived.

    With ``claimant`` the attempt must be open and that holder's, which is given the next one that it has room for.
    Raises ``LeaseLost`` otherwise, and has written nothing. ``then`` is done in the same transaction, where an end was
    recorded. Raises ``RunHeld`` where another transaction holds the run and it is not to ``wait``.
    """
    key = run_key(ref.workspace_id, ref.run_id)
    if key is None:
        return Recorded(Effects())
    try:
        claims = claimant is not None
        async with context.database.tenant(ref.workspace_id, lock=ref.run_id, by_index=claims, wait=wait) as tx:
            return await complete_in(context, tx, key, ref, bounded(outcome), claimant, then)
    except UnreadableVersion as problem:
        return Recorded(await fail_unreadable(context, key, problem), Room(waiting=True))


async def complete_in(
    context: Context,
    tx: Transaction,
    key: RunKey,
    ref: TaskRef,
    outcome: Outcome,
    claimant: Claimant | None,
    then: Then | None,
) -> Recorded:
    """``complete`` as a part of a transaction that holds the run's lock. ``outcome`` is ``bounded``."""
    runner = None if claimant is None else claimant.asks(context.now())
    run = await runs.load(tx, key, ref.node, ref.attempt, runner)
    if claimant is not None and (run is None or run.task is None or run.task.holder != claimant.holder):
        raise LeaseLost(ref)
    if run is None or run.task is None:
        return Recorded(Effects(frozenset([ref.run_id]) if run is not None else frozenset()))
    definition = await context.definitions.get(tx, ref.workspace_id, run.version_id)
    try:
        recorded = await _take_in(context, tx, definition, run, run.task, ref, outcome, claimant=claimant)
    except _NoRoom:
        # Nothing was written, and nobody else takes room any more. Whatever does not fit is left out now.
        left = await storage.left(tx, ref.workspace_id)
        outcome, left = fitting(outcome, left)
        recorded = await _take_in(context, tx, definition, run, run.task, ref, outcome, claimant=claimant, left=left)
    if then is not None:
        await then(tx)
    if claimant is None or recorded.following is not None:
        return recorded
    return replace(recorded, following=await claim(context, tx, ref.workspace_id, claimant))


async def _take_in(
    context: Context,
    tx: Transaction,
    definition: Definition,
    run: runs.LoadedRun,
    task: runs.OpenTask,
    ref: TaskRef,
    outcome: Outcome,
    *,
    claimant: Claimant | None,
    left: StorageLeft | None = None,
) -> Recorded:
    """``left`` is how much more than the outcome there is room for; not given where all of it may be."""
    now = context.now()
    ended = _step_row(ref, outcome, now, context.rate(outcome.footprint, outcome.used))
    if task.stopping and not outcome.succeeded:
        ended = replace(ended, phase=NodePhase.CANCELLED.value, reason=early_reason(run.ends_as), message="")
    may_repeat = (
        not outcome.succeeded and outcome.reason not in _NOT_REPEATED and not task.stopping and task.kind != "approval"
    )
    node = definition.node(ref.node)
    facts = Facts(tx, run.key, definition.workflow_id)
    tries = ref.attempt - task.first_attempt + 1
    delay = delay_before_next(node.retry, tries, luck(context.randomness)) if may_repeat else None
    if delay is not None and node.retry.when is not None:
        states = states_of(definition.graph, run)
        refusal = await refusal_to_repeat(context.evaluator, definition, node, run, facts, states, ended)
        if refusal is not None:
            ended, delay = replace(ended, message=clip(f"{ended.message}; {refusal}".removeprefix("; "))), None
    if delay is None:
        recorded = await _go_on(context, tx, definition, run, ended, facts, now, claimant=claimant, left=left)
        if outcome.succeeded and (digest := task.work.get("memo")) is not None and node.memoize is not None:
            since = now - parse_duration(node.memoize.max_age)
            memo = memos.Memo(definition.workflow_id, node.id, digest, outcome.output, now)
            await memos.put(tx, ref.workspace_id, memo, since)
        return recorded
    again = TaskRow(
        ref.node,
        ref.attempt + 1,
        task.work,
        task.timeout_seconds,
        due_at=now + delay if run.status != RunPhase.SUSPENDED else None,
        kind=task.kind,
        first_attempt=task.first_attempt,
        waiting_reason="Retry",
        waiting_message=clip(
            f"attempt {ref.attempt} failed ({outcome.reason}); the next one starts in {format_duration(delay)}"
        ),
        waiting_until=now + delay,
    )
    queued = StepRow(ref.node, ref.attempt + 1, NodePhase.QUEUED.value)
    await _record(tx, definition, run.key, (ref.node, ref.attempt), (ended, queued), (again,))
    return Recorded(Effects(frozenset([ref.run_id]), tasks_queued=True, to_chain=for_calls([again])))


async def _go_on(
    context: Context,
    tx: Transaction,
    definition: Definition,
    run: runs.LoadedRun,
    ended: StepRow,
    facts: Facts,
    now: datetime,
    *,
    claimant: Claimant | None,
    left: StorageLeft | None,
) -> Recorded:
    states = states_of(definition.graph, run)
    states[ended.node] = NodeState(NodePhase(ended.phase), ended.attempt, None, ended.reason, ended.message)
    if ended.phase == _SUCCEEDED:
        facts.fresh[ended.node] = ended.output
    if run.status == RunPhase.SUSPENDED:
        progress = Progress(states, None, (), ())
    else:
        progress = await advance(
            definition,
            run.key.id,
            states,
            facts,
            context.evaluator,
            now,
            ends_as=run.ends_as,
            apart=run.apart,
            left=left,
        )
    following = None
    if claimant is not None:
        progress, following = kept(context, definition, run, progress, claimant, now)
    ending = ending_of(definition, run, progress, now)
    done = (ended.node, ended.attempt)
    room = await _record(tx, definition, run.key, done, (ended, *progress.steps), progress.tasks, ending)
    effects = Effects(
        frozenset([run.key.id]),
        tasks_queued=bool(progress.tasks),
        for_runners=for_runners(progress.tasks),
        to_chain=for_calls(progress.tasks),
    )
    effects |= await follow(tx, definition, run, progress, ending, now, awaited=room.awaited)
    return Recorded(effects, room, following)


def bounded(outcome: Outcome) -> Outcome:
    """The outcome in a form that can be stored; a success whose output cannot be is a failure."""
    outcome = replace(outcome, reason=clip(outcome.reason, REASON_BYTES), message=clip(outcome.message))
    try:
        check_json(outcome.output, OUTPUT_BYTES, "the output")
    except ValueError as error:
        if not outcome.succeeded:
            return replace(outcome, output=None)
        return replace(outcome, succeeded=False, output=None, reason=INVALID_OUTPUT, message=clip(str(error)))
    return outcome


def fitting(outcome: Outcome, left: StorageLeft) -> tuple[Outcome, StorageLeft]:
    """The outcome as far as there is room for it, and what is left then. A success whose output finds none fails."""
    more = size(outcome.output)
    if left.fits(more):
        return outcome, left.after(more)
    told = left.refusal("its output", more)
    if outcome.succeeded:
        outcome = replace(outcome, succeeded=False, reason=LIMIT, message="")
    message = clip("; ".join(part for part in (outcome.message, told) if part))
    return replace(outcome, output=None, message=message), left


def _step_row(ref: TaskRef, outcome: Outcome, now: datetime, rate: Rate | None) -> StepRow:
    return StepRow(
        node=ref.node,
        attempt=ref.attempt,
        phase=(NodePhase.SUCCEEDED if outcome.succeeded else NodePhase.FAILED).value,
        reason=outcome.reason,
        message=outcome.message,
        exit_code=outcome.exit_code,
        output=outcome.output,
        attempt_started_at=outcome.started_at,
        attempt_finished_at=outcome.finished_at or now,
        hourly_rate=rate.hourly if rate is not None else None,
        price_version=rate.version if rate is not None else None,
        cpu_used=outcome.used.cpu.value if outcome.used is not None else None,
        memory_used=outcome.used.memory.value if outcome.used is not None else None,
        cpu_requested=outcome.footprint.cpu.value if outcome.footprint is not None else None,
        memory_requested=outcome.footprint.memory.value if outcome.footprint is not None else None,
    )


async def _record(
    tx: Transaction,
    definition: Definition,
    key: RunKey,
    done: tuple[str, int],
    steps: tuple[StepRow, ...],
    tasks: tuple[TaskRow, ...],
    ending: Ending | None = None,
) -> Room:
    """Raises ``_NoRoom``, and has written nothing then."""
    room = await recording.record(
        tx,
        key,
        namespace=definition.namespace,
        workflow=definition.workflow,
        done=done,
        steps=steps,
        tasks=tasks,
        ending=ending,
    )
    if room is None:
        raise _NoRoom
    return room


class _NoRoom(Exception):  # noqa: N818 - a state of the workspace, not a mistake of ours
    """What an attempt gave, or what follows from it, does not fit into what the workspace may keep."""
