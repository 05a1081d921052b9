"""How large, and how deep, a request may be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate.domain.json_bytes import is_nested_deeper
from headgate.gateway.problems import problem

LEVELS = 1000
"""Of lists and objects in each other that are parsed: more than anything allows, and much less than the stack takes."""
PATIENCE_SECONDS = 30.0
"""In which a body has to have come: who sends it without end, or a byte now and then, holds a connection no longer."""
_NONE: Mapping[str, int] = MappingProxyType({})


class _TooLarge(Exception):  # noqa: N818 - a state of the request
    """More came than may come."""


class BodyLimit:
    """Refuses a body that is too large, told beforehand or found while it comes, with 413; one too deep with 400.

    One that does not come is refused with 408.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit: int,
        larger: Mapping[str, int] = _NONE,
        streamed: str | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """``limit`` is in bytes; ``larger`` has other ones, by how the path begins.

        What is sent to the path ``streamed`` is read by whoever takes it, as it comes, and bounded there.
        """
        self._app = app
        self._patience = patience_seconds
        self._limit = limit
        self._larger = larger
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] == self._streamed:
            await self._app(scope, receive, send)
            return
        limit = next((size for path, size in self._larger.items() if scope["path"].startswith(path)), self._limit)
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            await _too_large(limit)(scope, receive, send)
            return
        # All of it before the application begins, so that nothing has been answered when it turns out to be too much.
        try:
            async with asyncio.timeout(self._patience):
                messages = await _whole(receive, limit)
        except _TooLarge:
            await _too_large(limit)(scope, receive, send)
            return
        except TimeoutError:
            detail = f"the body has to come within {self._patience:g} seconds: send the request again"
            await problem(HTTPStatus.REQUEST_TIMEOUT, detail, {"Connection": "close"})(scope, receive, send)
            return
        if is_nested_deeper(b"".join(message.get("body", b"") for message in messages), LEVELS):
            detail = f"the body is not JSON in UTF-8, or is nested in more than {LEVELS} levels"
            await problem(HTTPStatus.BAD_REQUEST, detail)(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)


def _too_large(limit: int) -> Response:
    detail = f"a request may have {limit} bytes at most"
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, {"Connection": "close"})


async def _whole(receive: Receive, limit: int) -> list[Message]:
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > limit:
            raise _TooLarge
        if message["type"] != "http.request" or not message.get("more_body", False):
            return messages
