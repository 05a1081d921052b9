"""Ends runs whose time is over: the rest of them is asked to end, and final nodes have some time more."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.engine.context import Context, run_key
from headgate.engine.control.cancellation import cut_short
from headgate.engine.control.stopping import ask_to_end
from headgate.engine.control.unreadable import fail_unreadable
from headgate.engine.definitions.definition import UnreadableVersion
from headgate.engine.steps.outcome import states_of
from headgate.engine.steps.stepping import TIMEOUT
from headgate.engine.types import Effects
from headgate.store import open_runs, runs
from headgate.store.records import RunKey


async def expire_runs(context: Context, now: datetime) -> tuple[Effects, frozenset[UUID]]:
    """Fail every overdue run, each in a transaction of its own. Also the workspaces that have room again."""
    async with context.database.system() as tx:
        overdue = await open_runs.overdue(tx, now)
    effects = Effects()
    for workspace_id, run_id in overdue:
        key = run_key(workspace_id, run_id)
        if key is not None:
            try:
                effects |= await _expire(context, key, now)
            except UnreadableVersion as problem:
                effects |= await fail_unreadable(context, key, problem)
    return effects, frozenset(workspace_id for workspace_id, _ in overdue)


async def _expire(context: Context, key: RunKey, now: datetime) -> Effects:
    """End the run, at once where no final node is left to run, or that had its time too."""
    async with context.database.tenant(key.workspace_id, lock=key.id) as tx:
        run = await runs.load(tx, key)
        if run is None or not run.has_place or run.deadline is None or run.deadline > now:
            return Effects()
        definition = await context.definitions.get(tx, key.workspace_id, run.version_id)
        reason = f"{TIMEOUT}: the run took longer than {definition.spec.timeout}"
        states = states_of(definition.graph, run)
        if run.ends_as is None and any(
            node.final and not states[node.id].phase.is_final for node in definition.graph.nodes
        ):
            effects, _ = await ask_to_end(context, tx, definition, run, RunPhase.FAILED, reason)
            return effects
        return await cut_short(context, tx, definition, run, run.ends_as or RunPhase.FAILED, TIMEOUT, reason)
