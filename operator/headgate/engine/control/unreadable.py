"""Ends runs whose version this release cannot read, as they would hold up others for ever."""

from __future__ import annotations

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.audit import Act
from headgate.engine.audit import record
from headgate.engine.bounds import clip
from headgate.engine.context import Context, milliseconds
from headgate.engine.definitions.definition import UnreadableVersion
from headgate.engine.steps.ending import counted
from headgate.engine.types import Effects, TaskRef
from headgate.store import early_ends, runs
from headgate.store.records import RunKey, StepRow

REASON = "UnreadableVersion"


async def fail_unreadable(context: Context, key: RunKey, problem: UnreadableVersion, act: Act | None = None) -> Effects:
    """Fail a run that has not ended, in one transaction. Its attempts under way are cancelled.

    ``act`` is what somebody meant to do to it.
    """
    async with context.database.tenant(key.workspace_id, lock=key.id) as tx:
        run = await runs.load(tx, key)
        if run is None or RunPhase(run.status).is_final:
            return Effects()
        now = context.now()
        steps = [
            StepRow(state.node, state.attempt, NodePhase.CANCELLED.value, reason=REASON, attempt_finished_at=now)
            for state in run.states
            if not NodePhase(state.phase).is_final
        ]
        under_way = await early_ends.end(
            tx,
            run,
            status=RunPhase.FAILED.value,
            finished_at=now,
            duration_ms=milliseconds(now - key.started_at),
            error_message=clip(f"{REASON}: {problem}"),
            steps=steps,
        )
        settled = await counted(tx, run, problem.content.namespace, RunPhase.FAILED, now)
        await record(tx, key.workspace_id, now, act)
    refs = tuple(TaskRef(key.workspace_id, key.id, node, attempt) for node, attempt in under_way)
    return Effects(frozenset([key.id]), to_chain=True, cancelled=refs) | settled
