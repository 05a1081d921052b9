"""Routes of the runners' protocol: a message in, a message out, and nothing of a framework between.

They are called for every node of every run. Who calls is told before what is said is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from headgate.domain.runner_protocol import Message
from headgate.gateway.authentication import Authenticator, Runner

M = TypeVar("M", bound=Message)
_JSON = "application/json"


class MessageRoute(Route):
    """A route that can be told apart where requests are counted."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for this route."""
        match, found = super().matches(scope)
        return match, {**found, "route": self} if match is not Match.NONE else found


def message_route(
    path: str,
    kind: type[M],
    authenticator: Authenticator,
    handle: Callable[[M, Runner, Request], Awaitable[Message | None]],
    *,
    secret: bool = False,
) -> MessageRoute:
    """A route that takes a message of a kind from a runner. ``handle`` gives the answer, or None for none.

    With ``secret`` nobody may keep the answer.
    """
    headers = {"Cache-Control": "no-store"} if secret else None

    async def endpoint(request: Request) -> Response:
        caller = await authenticator.runner(request.headers.get("authorization", ""))
        answer = await handle(read_message(kind, await request.body()), caller, request)
        if answer is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return Response(answer.model_dump_json(by_alias=True), media_type=_JSON, headers=headers)

    return MessageRoute(path, endpoint, methods=["POST"])


def read_message(kind: type[M], body: bytes) -> M:
    """A message of that kind. Raises ``RequestValidationError``."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in mistakes]) from None
