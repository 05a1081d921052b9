"""Runs the failed nodes of a run again, and what comes after them."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.audit import Action, Actor
from headgate.domain.graph import NodeState
from headgate.domain.repetition import to_repeat
from headgate.engine.acts import steered
from headgate.engine.audit import record
from headgate.engine.context import Context, run_key
from headgate.engine.definitions.definition import UnreadableVersion
from headgate.engine.steps.outcome import states_of
from headgate.engine.types import Effects
from headgate.store import control, runs
from headgate.store.recording import Room
from headgate.store.records import StepRow


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
        same = Effects(frozenset([run_id]))
        if run.status not in (RunPhase.FAILED, RunPhase.CANCELLED) or number <= run.retries or not run.apart.is_normal:
            return same, Room()
        try:
            definition = await context.definitions.get(tx, workspace_id, run.version_id)
        except UnreadableVersion:
            return same, Room()
        states = states_of(definition.graph, run)
        steps = _reset(to_repeat(definition.graph, states))
        await control.queue(tx, key, context.now(), retries=number, steps=steps)
        await record(tx, workspace_id, context.now(), steered(by, Action.RUN_RETRY, run_id))
    return same, Room(waiting=True)


def _reset(states: Mapping[str, NodeState]) -> tuple[StepRow, ...]:
    return tuple(StepRow(node, state.attempt, NodePhase.PENDING.value) for node, state in states.items())
