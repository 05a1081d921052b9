"""What people do to runs: cancel, hold, let go on, retry."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Security

from headgate.api.workflow_run import RunPhase
from headgate.domain.apart import GoingOn
from headgate.domain.api_keys import Scope
from headgate.engine.engine import Engine
from headgate.engine.types import Effects, NoRoom, RunView, TriggerKind
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.run_requests import CancelRun, HoldRun, ResumeRun
from headgate.gateway.models.runs import Run, run_of
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE
from headgate.gateway.routes.runs import known_run, refusal

_NO_CANCEL, _NO_HOLD, _ALL_THE_WAY = CancelRun(), HoldRun(), ResumeRun()


def steering_routes(
    engine: Engine, access: Access, *, wall: Callable[[], datetime], heard: Callable[[str, Effects], None]
) -> APIRouter:
    """The routes. ``heard`` is told the workspace and the effects of every transaction."""
    router = APIRouter(prefix=f"{WORKSPACE}/runs/{{run_id}}", tags=["runs"])
    Writer = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_WRITE])]  # noqa: N806 - a type

    async def done(effects: Effects, caller: Caller, run_id: UUID) -> Run:
        heard(caller.workspace, effects)
        return run_of(await known_run(engine, caller, run_id))

    @router.post("/cancel", operation_id="cancelRun")
    async def cancel(run_id: UUID, caller: Writer, body: CancelRun = _NO_CANCEL) -> Run:
        """Ask a run to end: what runs is asked to end, what waits never starts, and final nodes run.

        Once more changes nothing.
        """
        view = await known_run(engine, caller, run_id)
        steered_here(view, "spec.cancel")
        if view.phase.is_final and view.phase is not RunPhase.CANCELLED:
            raise conflict(f"the run has ended already: it is {view.phase}")
        why = _said(f"cancelled by {caller.subject}", body.reason)
        return await done(await engine.control.stop(caller.workspace_id, run_id, why, by=caller.actor), caller, run_id)

    @router.post("/suspend", operation_id="suspendRun")
    async def suspend(run_id: UUID, caller: Writer, body: HoldRun = _NO_HOLD) -> Run:
        """Hold a run: what runs goes on and its end is recorded, and nothing more starts."""
        view = await known_run(engine, caller, run_id)
        steered_here(view, "spec.suspend")
        if view.phase.is_final or view.cancelling:
            raise conflict(f"the run ends or has ended, so that nothing can be held: it is {view.phase}")
        why = _said(f"held by {caller.subject}", body.reason)
        return await done(
            await engine.control.suspend(caller.workspace_id, run_id, why, by=caller.actor), caller, run_id
        )

    @router.post("/resume", operation_id="resumeRun")
    async def resume(run_id: UUID, caller: Writer, body: ResumeRun = _ALL_THE_WAY) -> Run:
        """Let a Suspended run go on; a Debug run that stands at a breakpoint to the next one, or by a step."""
        view = await known_run(engine, caller, run_id)
        steered_here(view, "spec.suspend, or at a breakpoint spec.resume or spec.step,")
        _may_go_on(view, step=body.step)
        if view.at_breakpoint:
            # The next number counts once, however many ask at the same time.
            resume, step = (0, 1) if body.step else (1, 0)
            asked = GoingOn(view.resumed + resume, view.stepped + step)
            effects = await engine.control.pass_breakpoint(caller.workspace_id, run_id, asked, by=caller.actor)
        else:
            effects = await engine.control.resume(caller.workspace_id, run_id, by=caller.actor)
        return await done(effects, caller, run_id)

    @router.post("/retry", operation_id="retryRun")
    async def retry(run_id: UUID, caller: Writer) -> Run:
        """Run the failed nodes of a run again, and what comes after them. What succeeded is kept.

        A Test or Debug run keeps its mocks, pins and breakpoints, and is refused with 429 where it would have to wait.
        """
        view = await known_run(engine, caller, run_id)
        steered_here(view, "spec.retry")
        _may_be_retried(view)
        # The next number counts once, however many ask at the same time.
        try:
            effects = await engine.control.retry(caller.workspace_id, run_id, view.retries + 1, by=caller.actor)
        except NoRoom as problem:
            raise refusal(problem.refused, wall()) from None
        return await done(effects, caller, run_id)

    return router


def steered_here(view: RunView, field: str) -> None:
    """Raises ``Problem`` 409 for a run of which Kubernetes says what is wanted: it would be changed back.

    And for one that is in the archive, which nobody changes.
    """
    if view.archived:
        raise conflict("the run is in the archive: it can be read, and not changed; start a new one")
    if view.resource is not None:
        raise conflict(f"WorkflowRun {view.resource} steers this run: change {field} of it")


def _may_go_on(view: RunView, *, step: bool) -> None:
    if view.phase is not RunPhase.SUSPENDED:
        raise conflict(f"only a Suspended run can be resumed; this one is {view.phase}")
    if step and not view.at_breakpoint:
        raise conflict("only a run that stands at a breakpoint goes on by a step; this one is held otherwise")


def _may_be_retried(view: RunView) -> None:
    if view.kind is TriggerKind.CALL:
        # Its caller has gone on without it, and would not hear of another end.
        raise conflict("a node of another run called this one: retry that run, whose node calls it anew")
    if view.phase not in (RunPhase.FAILED, RunPhase.CANCELLED):
        raise conflict(f"only a Failed or Cancelled run can be retried; this one is {view.phase}")


def _said(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def conflict(detail: str) -> Problem:
    """What is answered where the run is not as it would have to be."""
    return Problem(HTTPStatus.CONFLICT, detail)
