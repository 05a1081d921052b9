"""Takes deliveries of webhooks from whoever has their secrets."""

# Annotations are evaluated where they stand: FastAPI reads them.

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from headgate.api.scalars import LABEL_PATTERN, SUBDOMAIN_PATTERN
from headgate.domain.webhooks import KEPT_HEADERS, NOT_SIGNED, OUT_OF_TIME, Unsigned, kept, signed
from headgate.engine.engine import Engine
from headgate.engine.types import Effects
from headgate.engine.webhooks.types import Arrival, Outcome, Received, Result, outcome_of
from headgate.gateway.metrics import HookMetrics
from headgate.gateway.problems import Problem
from headgate.gateway.rate_limits import RateLimits
from headgate.gateway.refusals import Refusals

PREFIX = "/hooks"
HOOK_PATH = f"{PREFIX}/{{workspace}}/{{hook}}"
CHALLENGE: Mapping[str, str] = MappingProxyType({"WWW-Authenticate": "Webhook"})
REFUSAL_SECONDS = 0.05
"""After which a delivery that nobody signed is answered at the earliest: what was done until then shows in no time."""
_WORKSPACE, _HOOK = re.compile(SUBDOMAIN_PATTERN), re.compile(LABEL_PATTERN)
_WORKSPACE_CHARACTERS, _HOOK_CHARACTERS = 253, 63
_JSON = re.compile(r"application/([!#$&^_.a-z0-9-]+\+)?json")
_SINGLE = (*KEPT_HEADERS, "webhook-signature", "x-hub-signature-256")
_LATER = frozenset({"DailyLimit", "Budget", "ConcurrencyLimit", "StorageLimit", "Queued"})
_UNSIGNED, _MALFORMED, _REPEATED, _LIMITED = "unsigned", "malformed", "repeated", "limited"


def hook_routes(
    engine: Engine,
    limits: RateLimits,
    refusals: Refusals,
    metrics: HookMetrics,
    *,
    wall: Callable[[], datetime],
    heard: Callable[[str, Effects], None],
    refusal_seconds: float = REFUSAL_SECONDS,
) -> APIRouter:
    """The route. ``heard`` is told the workspace and the effects of every transaction."""
    router = APIRouter()

    @router.post(HOOK_PATH)
    async def receive(workspace: str, hook: str, request: Request) -> JSONResponse:
        """Take a delivery. What is refused here tells nobody more than what they sent."""
        begun = asyncio.get_running_loop().time()
        try:
            arrival = await _arrival(workspace, hook, request, wall())
        except Problem:
            metrics.counted("", _MALFORMED)
            raise
        answer, effects = await engine.webhooks.receive(arrival, admit)
        if not isinstance(answer, Received):
            if answer.workspace_id is not None:
                refusals.note(answer.workspace_id, hook, wall())
            metrics.counted(workspace if answer.workspace_id is not None else "", _UNSIGNED)
            await asyncio.sleep(begun + refusal_seconds - asyncio.get_running_loop().time())
            raise _unverified()
        heard(workspace, effects)
        metrics.counted(workspace, _REPEATED if answer.repeated else _outcome(answer).value)
        if (refused := _refusal(answer, wall())) is not None:
            raise refused
        return JSONResponse(_told(answer), HTTPStatus.OK if answer.repeated else HTTPStatus.ACCEPTED)

    async def admit(arrival: Arrival, workspace_id: UUID) -> None:
        """Count a delivery that is signed, as a call by the webhook. Raises ``Problem`` 429."""
        try:
            await limits.count(workspace_id, f"webhook:{arrival.hook}")
        except Problem as refused:
            metrics.counted(arrival.workspace, _LIMITED)
            detail = "the workspace takes no more deliveries right now: send the delivery again later"
            raise Problem(refused.status, detail, refused.headers, reason=refused.reason) from None

    return router


async def _arrival(workspace: str, hook: str, request: Request, now: datetime) -> Arrival:
    """What came, as far as it can be told without knowing any webhook. Raises ``Problem``."""
    headers = request.headers
    if twice := [name for name in _SINGLE if len(headers.getlist(name)) > 1]:
        raise Problem(HTTPStatus.BAD_REQUEST, f"send the header {twice[0]} once")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON.fullmatch(media_type) or headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON as it is: Content-Type: application/json")
    body = await request.body()
    known = {name: headers[name] for name in _SINGLE if name in headers}
    try:
        claimed = signed(known, body, now)
    except Unsigned as problem:
        if problem.reason in (NOT_SIGNED, OUT_OF_TIME):
            raise Problem(HTTPStatus.UNAUTHORIZED, str(problem), CHALLENGE, reason=problem.reason) from None
        raise Problem(HTTPStatus.BAD_REQUEST, str(problem), reason=problem.reason) from None
    # Names that none can have are no secret.
    if len(workspace) > _WORKSPACE_CHARACTERS or not _WORKSPACE.fullmatch(workspace):
        raise _unverified()
    if len(hook) > _HOOK_CHARACTERS or not _HOOK.fullmatch(hook):
        raise _unverified()
    return Arrival(workspace, hook, claimed, body, kept(known))


def _unverified() -> Problem:
    detail = (
        "there is no such webhook, or none of its secrets signed this: sign the body exactly as it is sent, "
        "with the secret that the trigger names"
    )
    return Problem(HTTPStatus.UNAUTHORIZED, detail, CHALLENGE, reason=NOT_SIGNED)


def _outcome(received: Received) -> Outcome:
    return Outcome.REFUSED if received.reason else outcome_of(received.results)


def _refusal(received: Received, now: datetime) -> Problem | None:
    """What is answered where the delivery is to be sent again, or its sender has to mend it.

    What may be taken later is answered so even where other triggers have taken it: those will not take it twice.
    """
    if received.reason:
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, received.message, reason=received.reason)
    refused = [result for result in received.results if result.outcome is Outcome.REFUSED]
    if later := [result for result in refused if result.reason in _LATER]:
        detail = "the plan of the workspace has no room for the run right now: send the delivery again later"
        return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, _retry_after(later, now), reason=later[0].reason)
    if refused and _outcome(received) is Outcome.REFUSED:
        # Not with the trigger's words, which are for who wrote the workflow.
        detail = f"no run was started; delivery {received.delivery_id} in the log of the workspace says why"
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, reason=refused[0].reason)
    return None


def _retry_after(later: list[Result], now: datetime) -> dict[str, str]:
    known = [result.until for result in later if result.until is not None]
    return {"Retry-After": str(max(1, -((now - max(known)) // timedelta(seconds=1))))} if known else {}


def _told(received: Received) -> dict[str, Any]:
    return {
        "delivery": str(received.delivery_id),
        "outcome": _outcome(received).value,
        "runs": [str(result.run_id) for result in received.results if result.run_id is not None],
    }
