"""Acts on the end of a run: tells the node that called it, fires event triggers, and ends what it called itself."""

from __future__ import annotations

from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.engine.bounds import clip
from headgate.engine.context import Context
from headgate.engine.triggers.calls import TIMEOUT
from headgate.engine.triggers.use_cases import UseCases
from headgate.engine.types import Effects, Outcome, Refused, RunRequest, TaskRef, TriggerKind
from headgate.store import events
from headgate.store.endings import EndingRow, Listener

CHILD_FAILED = "ChildFailed"
"""Reason of an attempt whose called run did not succeed."""


async def act(
    context: Context, use: UseCases, workspace_id: UUID, ending: EndingRow
) -> tuple[Effects, frozenset[tuple[str, str]]]:
    """Do all that follows, each in a transaction of its own that is safe to repeat.

    Returns the workflows (namespace and name) for which it is news whether their last event made a run.
    """
    effects, workflows = Effects(), set[tuple[str, str]]()
    if ending.parent is not None:
        ref = TaskRef(workspace_id, *ending.parent)
        effects |= await use.complete(ref, outcome(ending))
    for orphan in ending.orphans:
        reason = f"run {ending.run_id}, which called it, has ended"
        effects |= await use.control.cancel(workspace_id, orphan, reason)
    for listener in ending.listeners:
        answer, admitted = await use.admit(request(workspace_id, ending, listener))
        effects |= admitted
        error = clip(f"{answer.reason}: {answer.message}") if isinstance(answer, Refused) else None
        if error is not None or listener.failed_before:
            async with context.database.tenant(workspace_id) as tx:
                if await events.set_error(tx, workspace_id, listener.workflow_id, listener.node, error):
                    workflows.add((ending.namespace, listener.workflow))
    return effects, frozenset(workflows)


def outcome(ending: EndingRow) -> Outcome:
    """How the attempt ended that called the run."""
    phase = RunPhase(ending.phase)
    if phase is RunPhase.SUCCEEDED:
        return Outcome(succeeded=True, output=ending.outputs, finished_at=ending.ended_at)
    how = "was cancelled" if phase is RunPhase.CANCELLED else "failed"
    why = f": {ending.error_message}" if ending.error_message else ""
    return Outcome(
        succeeded=False,
        reason=TIMEOUT if ending.parent_waits_for == TIMEOUT else CHILD_FAILED,
        message=clip(f"run {ending.run_id} of workflow {ending.workflow} {how}{why}"),
        finished_at=ending.ended_at,
    )


def request(workspace_id: UUID, ending: EndingRow, listener: Listener) -> RunRequest:
    """Asks for the run that an event trigger starts. Its key holds the run that ended and the trigger."""
    return RunRequest(
        workspace_id=workspace_id,
        namespace=ending.namespace,
        workflow=listener.workflow,
        kind=TriggerKind.EVENT,
        key=f"event:{ending.run_id}:{listener.workflow}/{listener.node}",
        trigger=listener.node,
        depth=ending.depth + 1,
        event={
            "workflow": ending.workflow,
            "runId": str(ending.run_id),
            "phase": ending.phase,
            "outputs": ending.outputs or {},
        },
    )
