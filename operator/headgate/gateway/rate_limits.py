"""Counts calls of the API, refuses those beyond a limit, and tells callers what they have left.

The fields are those of the IETF's draft on RateLimit fields for HTTP: what a limit is in ``RateLimit-Policy``, and what
there is of it in ``RateLimit``.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate.engine.call_limits.limits import CallDecision, CallLimits, LimitState
from headgate.gateway.metrics import GatewayMetrics
from headgate.gateway.problems import Problem

WORKSPACE, CALLER = "workspace", "caller"
_SECONDS = {WORKSPACE: 3600, CALLER: 60}
_STATE = "rate_limit"
FIELDS = {
    "RateLimit-Policy": "The limits of calls that the call counted against, `w` seconds long, with `q` calls each.",
    "RateLimit": "What is left of them: `r` calls, for `t` seconds.",
}
"""What callers are told wherever a workspace counted, by name."""


class RateLimits:
    """What a workspace may call in an hour, and one caller in a minute."""

    def __init__(self, limits: CallLimits, metrics: GatewayMetrics) -> None:
        self._limits = limits
        self._metrics = metrics

    async def count(self, workspace_id: UUID, subject: str, request: Request | None = None) -> None:
        """Count a call of ``subject`` in the workspace. Whoever sent ``request`` is told what is left.

        Raises ``Problem`` 429 where it is one too many, and ``DatabaseUnavailable``.
        """
        # Names have any length, and any characters.
        name = hashlib.blake2b(subject.encode(errors="surrogatepass"), digest_size=16).hexdigest()
        decision = await self._limits.take(workspace_id, name)
        if request is not None:
            request.scope.setdefault("state", {})[_STATE] = decision
        if not decision.passed:
            raise self._refusal(decision)

    def _refusal(self, decision: CallDecision) -> Problem:
        if decision.burst is None or not decision.hourly.left:
            limit, state, reason = WORKSPACE, decision.hourly, "ApiCallLimit"
            told = f"the workspace has {state.limit} calls an hour (maxApiCallsPerHour of its Quota), which are used up"
        else:
            limit, state, reason = CALLER, decision.burst, "CallerLimit"
            told = f"one caller has {state.limit} calls a minute, which are used up"
        self._metrics.refused.labels(limit).inc()
        seconds = _seconds(state.ends_in)
        detail = f"{told}: call again in {seconds} seconds"
        return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(max(1, seconds))}, reason=reason)


class RateLimitFields:
    """Tells whoever was counted what they have left, whatever else is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start" and (decision := _decision(scope)) is not None:
                headers = MutableHeaders(scope=message)
                states = {WORKSPACE: decision.hourly, CALLER: decision.burst}
                known = {name: state for name, state in states.items() if state is not None}
                headers["RateLimit-Policy"] = ", ".join(_policy(name, state) for name, state in known.items())
                headers["RateLimit"] = ", ".join(_left(name, state) for name, state in known.items())
            await send(message)

        await self._app(scope, receive, telling)


def _decision(scope: Scope) -> CallDecision | None:
    found: CallDecision | None = scope.get("state", {}).get(_STATE)
    return found


def _policy(name: str, state: LimitState) -> str:
    return f'"{name}";q={state.limit};w={_SECONDS[name]}'


def _left(name: str, state: LimitState) -> str:
    return f'"{name}";r={state.left};t={_seconds(state.ends_in)}'


def _seconds(length: timedelta) -> int:
    """Rounded up: whoever waits so long need not wait once more."""
    return -(-length // timedelta(seconds=1))
