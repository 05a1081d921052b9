"""What a WorkflowRun's spec asks of its run beyond what is recorded: ending, holding, retrying and deciding it."""

from __future__ import annotations

from uuid import UUID

from headgate.api.workflow_run import Decision, RunPhase, WorkflowRunSpec
from headgate.domain.apart import GoingOn
from headgate.domain.audit import Actor, ActorKind
from headgate.engine.control.suspension import RUN_SUSPENDED
from headgate.engine.run_control import RunControl
from headgate.engine.types import Effects, RunView

HELD_BY_SPEC = "set spec.suspend to false to let it go on"
_RETRIED = (RunPhase.FAILED, RunPhase.CANCELLED)


def by_resource(namespace: str, name: str) -> Actor:
    """Whoever may write that WorkflowRun. Which of them it was, the API server's audit log says."""
    return Actor(ActorKind.KUBERNETES, f"WorkflowRun {namespace}/{name}", "Kubernetes")


async def steer(
    control: RunControl, workspace_id: UUID, spec: WorkflowRunSpec, view: RunView, by: Actor
) -> Effects | None:
    """Have the engine do what is asked for and not done. None where there is nothing to do: then nothing is written.

    Every call may be repeated: the engine knows what was done.
    """
    run_id = view.run_id
    if view.phase.is_final:
        # Whoever cancels a run by its spec wants no more of it: cancel can never be taken back.
        if view.phase in _RETRIED and spec.retry > view.retries and not (spec.cancel or spec.cancel_now):
            return await control.retry(workspace_id, run_id, spec.retry, by=by)
        return None
    if spec.cancel_now:
        return await control.cancel(workspace_id, run_id, "cancelled by spec.cancelNow", by=by)
    if spec.cancel and not view.cancelling:
        return await control.stop(workspace_id, run_id, "cancelled by spec.cancel", by=by)
    effects: Effects | None = None
    if spec.priority is not None and spec.priority != view.priority:
        effects = await control.prioritize(workspace_id, run_id, spec.priority, by=by)
    if decisions := undecided(spec, view):
        effects = (effects or Effects()) | await control.decide(workspace_id, run_id, decisions, by=by)
    if spec.suspend and not view.cancelling and view.phase is not RunPhase.SUSPENDED:
        effects = (effects or Effects()) | await control.suspend(workspace_id, run_id, HELD_BY_SPEC, by=by)
    elif not spec.suspend and is_held_by_spec(view):
        effects = (effects or Effects()) | await control.resume(workspace_id, run_id, by=by)
    elif view.at_breakpoint and (spec.resume > view.resumed or spec.step > view.stepped):
        asked = GoingOn(spec.resume, spec.step)
        effects = (effects or Effects()) | await control.pass_breakpoint(workspace_id, run_id, asked, by=by)
    return effects


def is_held_by_spec(view: RunView) -> bool:
    """Whether the run is Suspended because its spec said so."""
    return view.phase is RunPhase.SUSPENDED and (view.held or "").startswith(f"{RUN_SUSPENDED}: ")


def undecided(spec: WorkflowRunSpec, view: RunView) -> tuple[Decision, ...]:
    """The decisions on attempts that have not ended."""
    open_attempts = {(node.id, node.attempt) for node in view.nodes if node.attempt and not node.phase.is_final}
    return tuple(item for item in spec.approvals if (item.node, item.attempt) in open_attempts)
