"""Decisions on approval nodes, each in the name of whoever calls."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Security

from headgate.api.workflow_run import Decision
from headgate.domain.api_keys import Scope
from headgate.domain.approvals import APPROVAL, NOT_ALLOWED
from headgate.engine.engine import Engine
from headgate.engine.types import Effects, RunView
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.run_requests import DecideApproval
from headgate.gateway.models.runs import Run, run_of
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE
from headgate.gateway.routes.runs import known_run
from headgate.gateway.routes.steering import conflict, steered_here


def approval_routes(engine: Engine, access: Access, *, heard: Callable[[str, Effects], None]) -> APIRouter:
    """The routes. ``heard`` is told the workspace and the effects of every transaction."""
    router = APIRouter(prefix=f"{WORKSPACE}/runs/{{run_id}}", tags=["runs"])
    Writer = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_WRITE])]  # noqa: N806 - a type

    @router.post("/approve", operation_id="approveNode")
    async def approve(run_id: UUID, body: DecideApproval, caller: Writer, request: Request) -> Run:
        """Approve what a node of the run waits for, in the caller's name: the run goes on."""
        return await decide(run_id, body, caller, request, approved=True)

    @router.post("/reject", operation_id="rejectNode")
    async def reject(run_id: UUID, body: DecideApproval, caller: Writer, request: Request) -> Run:
        """Reject what a node of the run waits for, in the caller's name: the node fails."""
        return await decide(run_id, body, caller, request, approved=False)

    async def decide(run_id: UUID, body: DecideApproval, caller: Caller, request: Request, *, approved: bool) -> Run:
        view = await known_run(engine, caller, run_id)
        steered_here(view, "spec.approvals")
        attempt = _waiting_attempt(view, body)
        decision = Decision(node=body.node, attempt=attempt, approved=approved, by=caller.subject, comment=body.comment)
        effects = await engine.control.decide(caller.workspace_id, run_id, [decision], caller.actor)
        heard(caller.workspace, effects)
        view = await known_run(engine, caller, run_id)
        refusal = next((item for item in view.waiting if (item.node, item.reason) == (body.node, NOT_ALLOWED)), None)
        if refusal is not None and refusal.message.startswith(f"{caller.subject} may not"):
            async with access.recording(caller, request):
                raise Problem(HTTPStatus.FORBIDDEN, refusal.message, reason=NOT_ALLOWED)
        return run_of(view)

    return router


def _waiting_attempt(view: RunView, body: DecideApproval) -> int:
    """The attempt that waits for a decision. Raises ``Problem`` 409 where none, or another one, does."""
    node = next((node for node in view.nodes if node.id == body.node), None)
    waits = any(item.node == body.node and item.reason in (APPROVAL, NOT_ALLOWED) for item in view.waiting)
    if node is None or not waits:
        raise conflict(f"node {body.node} of the run waits for no decision")
    if body.attempt not in (None, node.attempt):
        raise conflict(f"attempt {node.attempt} of node {body.node} is the one that waits for a decision")
    return node.attempt
