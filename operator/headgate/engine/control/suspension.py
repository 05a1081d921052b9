"""Holds a run where it is, and lets it go on exactly there."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.domain.apart import Apart, GoingOn
from headgate.domain.audit import Action, Actor
from headgate.domain.graph import step
from headgate.domain.runner_task import KINDS
from headgate.engine.acts import steered
from headgate.engine.audit import record
from headgate.engine.bounds import clip
from headgate.engine.context import Context, run_key
from headgate.engine.control.moving import Writes, move_on
from headgate.engine.control.unreadable import fail_unreadable
from headgate.engine.definitions.definition import UnreadableVersion
from headgate.engine.steps.ending import conclude
from headgate.engine.steps.outcome import states_of
from headgate.engine.types import Effects
from headgate.store import control, runs
from headgate.store.database import Transaction
from headgate.store.recording import Room
from headgate.store.records import RunKey, for_calls, for_runners
from headgate.store.runs import LoadedRun

RUN_SUSPENDED = "RunSuspended"


async def suspend_run(
    context: Context, workspace_id: UUID, run_id: UUID, why: str, by: Actor | None = None
) -> tuple[Effects, Room]:
    """Let nothing more of a run start, in one transaction. See ``RunControl.suspend``."""
    key = run_key(workspace_id, run_id)
    if key is None:
        return Effects(), Room()
    async with context.database.tenant(workspace_id, lock=run_id) as tx:
        run = await runs.load(tx, key)
        if run is None or run.status not in (RunPhase.PENDING, RunPhase.RUNNING) or run.cancelling:
            return Effects(frozenset([run_id]) if run is not None else frozenset()), Room()
        await control.suspend(tx, key, clip(f"{RUN_SUSPENDED}: {why}"))
        if run.is_queued:
            await control.count(tx, workspace_id, context.now(), queued=-1)
        await record(tx, workspace_id, context.now(), steered(by, Action.RUN_SUSPEND, run_id, why))
    return Effects(frozenset([run_id])), Room(waiting=run.is_queued)


async def resume_run(
    context: Context,
    workspace_id: UUID,
    run_id: UUID,
    passing: GoingOn | None = None,
    by: Actor | None = None,
) -> tuple[Effects, Room]:
    """Let a Suspended run go on, in one transaction. See ``RunControl.resume`` and ``RunControl.pass_breakpoint``."""
    key = run_key(workspace_id, run_id)
    if key is None:
        return Effects(), Room()
    try:
        return await _resume(context, key, passing, by)
    except UnreadableVersion as problem:
        act = steered(by, Action.RUN_RESUME, run_id)
        return await fail_unreadable(context, key, problem, act), Room(waiting=True)


async def _resume(context: Context, key: RunKey, passing: GoingOn | None, by: Actor | None) -> tuple[Effects, Room]:
    async with context.database.tenant(key.workspace_id, lock=key.id) as tx:
        run = await runs.load(tx, key)
        if run is None:
            return Effects(), Room()
        apart = await _let_go(context, tx, run, passing)
        if apart is None:
            return Effects(frozenset([key.id])), Room()
        if passing is not None:
            run = replace(run, apart=apart)
            await control.note(tx, key, apart.options(), context.now())
        act = steered(by, Action.RUN_RESUME, key.id, step=(passing is not None and apart.stepping) or None)
        now, effects = context.now(), Effects(frozenset([key.id]))
        if not run.has_place:
            await control.queue(tx, key, now, retries=run.retries)
            await record(tx, key.workspace_id, now, act)
            return effects, Room(waiting=True)
        definition = await context.definitions.get(tx, key.workspace_id, run.version_id)
        released = await control.release(tx, key, now)
        states = states_of(definition.graph, run)
        progress, _ = await move_on(context, tx, definition, run, states, Writes(), now)
        ended, room = await conclude(tx, definition, run, progress, now)
        await record(tx, key.workspace_id, now, act)
    effects |= Effects(
        tasks_queued=bool(progress.tasks or released),
        for_runners=for_runners(progress.tasks) + (KINDS if released else ()),
        to_chain=for_calls(progress.tasks) or bool(released),
    )
    return effects | ended, room


async def _let_go(context: Context, tx: Transaction, run: LoadedRun, passing: GoingOn | None) -> Apart | None:
    """What the run does otherwise from now on; None where what is to be lifted does not hold it.

    That is a breakpoint, once for each higher number, or anything else.
    """
    if run.status != RunPhase.SUSPENDED or (run.apart.at is None) is not (passing is None):
        return None
    if passing is None:
        return run.apart
    graph = (await context.definitions.get(tx, run.key.workspace_id, run.version_id)).graph
    return run.apart.past(passing, step(graph, states_of(graph, run)).ready)
