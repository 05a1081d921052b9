"""Ends runs at once."""

from __future__ import annotations

from uuid import UUID

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.audit import Act, Action, Actor
from headgate.engine.acts import steered
from headgate.engine.audit import record
from headgate.engine.bounds import clip
from headgate.engine.context import Context, milliseconds, run_key
from headgate.engine.control.unreadable import fail_unreadable
from headgate.engine.definitions.definition import Definition, UnreadableVersion
from headgate.engine.steps.ending import counted
from headgate.engine.steps.outcome import states_of
from headgate.engine.steps.stepping import CANCELLED
from headgate.engine.types import Effects, TaskRef
from headgate.store import early_ends, history, open_runs, runs
from headgate.store.database import Transaction
from headgate.store.records import RunKey, StepRow


async def cancel_run(
    context: Context, workspace_id: UUID, run_id: UUID, reason: str, by: Actor | None = None
) -> Effects:
    """Cancel a run in one transaction; one that has ended stays as it is. See ``RunControl.cancel``."""
    key = run_key(workspace_id, run_id)
    if key is None:
        return Effects()
    act = steered(by, Action.RUN_CANCEL, run_id, reason)
    try:
        return await _cancel(context, key, reason, act)
    except UnreadableVersion as problem:
        return await fail_unreadable(context, key, problem, act)


async def _cancel(context: Context, key: RunKey, reason: str, act: Act | None) -> Effects:
    async with context.database.tenant(key.workspace_id, lock=key.id) as tx:
        run = await runs.load(tx, key)
        if run is None or RunPhase(run.status).is_final:
            return Effects(frozenset([key.id]) if run is not None else frozenset())
        definition = await context.definitions.get(tx, key.workspace_id, run.version_id)
        effects = await cut_short(context, tx, definition, run, RunPhase.CANCELLED, CANCELLED, reason)
        await record(tx, key.workspace_id, context.now(), act)
        return effects


async def cancel_resource(context: Context, workspace_id: UUID, trigger_key: str, by: Actor | None = None) -> Effects:
    """Cancel the run of a request, or make sure that there never is one. See ``RunControl.cancel_resource``."""
    async with context.database.tenant(workspace_id) as tx:
        if await open_runs.withdraw_key(tx, workspace_id, trigger_key, context.now()):
            return Effects()
        run_id = await history.run_of_key(tx, workspace_id, trigger_key)
    if run_id is None:
        return Effects()
    return await cancel_run(context, workspace_id, run_id, "its WorkflowRun was deleted", by)


async def cut_short(
    context: Context,
    tx: Transaction,
    definition: Definition,
    run: runs.LoadedRun,
    phase: RunPhase,
    node_reason: str,
    message: str,
) -> Effects:
    """End the run with its nodes that have not ended, whatever they were at."""
    now = context.now()
    states = states_of(definition.graph, run)
    open_nodes = [(name, state) for name, state in states.items() if not state.phase.is_final]
    steps = [
        StepRow(
            name,
            state.attempt,
            NodePhase.CANCELLED.value,
            reason=node_reason,
            attempt_finished_at=now if state.attempt else None,
        )
        for name, state in open_nodes
    ]
    under_way = await early_ends.end(
        tx,
        run,
        status=phase.value,
        finished_at=now,
        duration_ms=milliseconds(now - run.key.started_at),
        error_message=clip(message),
        steps=steps,
    )
    refs = tuple(TaskRef(run.key.workspace_id, run.key.id, node, attempt) for node, attempt in under_way)
    effects = Effects(frozenset([run.key.id]), to_chain=True, cancelled=refs)
    return effects | await counted(tx, run, definition.namespace, phase, now)
