"""What a WorkflowRun's spec asks of its run beyond what is recorded: ending, holding, retrying and deciding it."""

from __future__ import annotations

from uuid import UUID

from headgate.api.workflow_run import Decision, RunPhase, WorkflowRunSpec
from headgate.engine.run_control import RunControl
from headgate.engine.suspension import RUN_SUSPENDED
from headgate.engine.types import Effects, RunView

HELD_BY_SPEC = "set spec.suspend to false to let it go on"
_RETRIED = (RunPhase.FAILED, RunPhase.CANCELLED)


async def steer(control: RunControl, workspace_id: UUID, spec: WorkflowRunSpec, view: RunView) -> Effects | None:
    """Have the engine do what is asked for and not done. None where there is nothing to do: then nothing is written.

    Every call may be repeated: the engine knows what was done.
    """
    run_id = view.run_id
    if view.phase.is_final:
        # Whoever cancels a run by its spec wants no more of it: cancel can never be taken back.
        if view.phase in _RETRIED and spec.retry > view.retries and not (spec.cancel or spec.cancel_now):
            return await control.retry(workspace_id, run_id, spec.retry)
        return None
    if spec.cancel_now:
        return await control.cancel(workspace_id, run_id, "cancelled by spec.cancelNow")
    if spec.cancel and not view.cancelling:
        return await control.stop(workspace_id, run_id, "cancelled by spec.cancel")
    effects: Effects | None = None
    if spec.priority is not None and spec.priority != view.priority:
        effects = await control.prioritize(workspace_id, run_id, spec.priority)
    if decisions := undecided(spec, view):
        effects = (effects or Effects()) | await control.decide(workspace_id, run_id, decisions)
    if spec.suspend and not view.cancelling and view.phase is not RunPhase.SUSPENDED:
        effects = (effects or Effects()) | await control.suspend(workspace_id, run_id, HELD_BY_SPEC)
    elif not spec.suspend and is_held_by_spec(view):
        effects = (effects or Effects()) | await control.resume(workspace_id, run_id)
    elif view.at_breakpoint and spec.resume > view.resumed:
        effects = (effects or Effects()) | await control.pass_breakpoint(workspace_id, run_id, spec.resume)
    return effects


def is_held_by_spec(view: RunView) -> bool:
    """Whether the run is Suspended because its spec said so."""
    return view.phase is RunPhase.SUSPENDED and (view.held or "").startswith(f"{RUN_SUSPENDED}: ")


def undecided(spec: WorkflowRunSpec, view: RunView) -> tuple[Decision, ...]:
    """The decisions on attempts that have not ended."""
    open_attempts = {(node.id, node.attempt) for node in view.nodes if node.attempt and not node.phase.is_final}
    return tuple(item for item in spec.approvals if (item.node, item.attempt) in open_attempts)
