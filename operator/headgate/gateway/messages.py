"""Routes of the runners' protocol: a message in, a message out, and nothing of a framework between.

They are called for every node of every run. Who calls is told before what is said is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Generic, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Event

from headgate.domain.runner_protocol import Message
from headgate.gateway.authentication import Authenticator, Runner
from headgate.gateway.limits import header
from headgate.gateway.problems import Problem, answer_to, failed

M = TypeVar("M", bound=Message)
_METHOD = "POST"
_TYPE = (b"content-type", b"application/json")
_SECRET = (b"cache-control", b"no-store")


class MessageRoute(Route):
    """A route that can be told apart where requests are counted."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for this route."""
        match, found = super().matches(scope)
        return match, {**found, "route": self} if match is not Match.NONE else found


class Taking(Generic[M]):
    """Takes messages of a kind, whose bodies are bounded already."""

    def __init__(
        self,
        kind: type[M],
        authenticator: Authenticator,
        handle: Callable[[M, Runner, Request], Awaitable[Message | None]],
        *,
        secret: bool,
    ) -> None:
        self._kind = kind
        self._authenticator = authenticator
        self._handle = handle
        self._headers = [_SECRET] if secret else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one, and send the answer."""
        for event in await self.answer(scope, receive):
            await send(event)

    async def answer(self, scope: Scope, receive: Receive) -> tuple[Event, Event]:
        """The answer to one, as it is sent."""
        caller = await self._authenticator.runner(header(scope, b"authorization"))
        message = read_message(self._kind, await _body(receive))
        answer = await self._handle(message, caller, Request(scope, receive))
        if answer is None:
            return _start(HTTPStatus.NO_CONTENT, []), _end(b"")
        body = answer.model_dump_json(by_alias=True).encode()
        headers = [*self._headers, (b"content-length", b"%d" % len(body)), _TYPE]
        return _start(HTTPStatus.OK, headers), _end(body)


class Messages:
    """Has messages of runners taken at once, by their paths, and all other requests by the framework.

    What ends in an exception is answered as the framework has it answered.
    """

    def __init__(self, routes: Iterable[Route], framework: ASGIApp) -> None:
        """Those of the routes that take messages are known to the framework too, which tells what else there is."""
        self._routes = {route.path: (route, route.app) for route in routes if isinstance(route.app, Taking)}
        self._framework = framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        found = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == _METHOD else None
        if found is None:
            await self._framework(scope, receive, send)
            return
        scope["route"], taking = found
        try:
            start, end = await taking.answer(scope, receive)
        except Exception as error:
            answer = answer_to(Request(scope), error)
            await (answer or failed())(scope, receive, send)
            if answer is None:
                # The server logs it.
                raise
            return
        await send(start)
        await send(end)


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
    return MessageRoute(path, Taking(kind, authenticator, handle, secret=secret), methods=[_METHOD])


def read_message(kind: type[M], body: bytes) -> M:
    """A message of that kind. Raises ``RequestValidationError``, and ``Problem`` 400 for what is no JSON."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)
        if mistakes[0]["type"] == "json_invalid":
            where = mistakes[0]["msg"].removeprefix("Invalid JSON: ")
            raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {where}") from None
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in mistakes]) from None


async def _body(receive: Receive) -> bytes:
    event = await receive()
    if event.get("more_body", False):
        raise ClientDisconnect
    return bytes(event["body"])


def _start(status: HTTPStatus, headers: list[tuple[bytes, bytes]]) -> Event:
    return {"type": "http.response.start", "status": int(status), "headers": headers}


def _end(body: bytes) -> Event:
    return {"type": "http.response.body", "body": body}
