"""How large, and how deep, a request may be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate.domain.json_bytes import is_nested_deeper
from headgate.gateway.problems import Problem

LEVELS = 1000
"""Of lists and objects in each other that are parsed: more than anything allows, and much less than the stack takes."""
PATIENCE_SECONDS = 30.0
"""In which a body has to have come: who sends it without end, or a byte now and then, holds a connection no longer."""
_NONE: Mapping[str, int] = MappingProxyType({})
_CLOSE = {"Connection": "close"}


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
        limit = self._limit
        for begin, size in self._larger.items():
            if scope["path"].startswith(begin):
                limit = size
                break
        try:
            messages = await self._whole(scope, receive, limit)
        except Problem as refused:
            await refused.response()(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)

    async def _whole(self, scope: Scope, receive: Receive, limit: int) -> list[Message]:
        """All that comes, as one message, and that its sender went where that is what came.

        Before the application begins, so that nothing has been answered when it turns out to be too much. Raises
        ``Problem``.
        """
        length = header(scope, b"content-length")
        if length.isdecimal() and int(length) > limit:
            raise _too_large(limit)
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    last = await receive()
                    pieces.append(last.get("body", b""))
                    size += len(pieces[-1])
                    if size > limit:
                        raise _too_large(limit)
                    if last["type"] != "http.request" or not last.get("more_body", False):
                        break
        except TimeoutError:
            detail = f"the body has to come within {self._patience:g} seconds: send the request again"
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, detail, _CLOSE) from None
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if is_nested_deeper(body, LEVELS):
            detail = f"the body is not JSON in UTF-8, or is nested in more than {LEVELS} levels"
            raise Problem(HTTPStatus.BAD_REQUEST, detail)
        if last["type"] == "http.request":
            return [{"type": "http.request", "body": body, "more_body": False}]
        # Whoever sent it went before the end of it.
        return [{"type": "http.request", "body": body, "more_body": True}, last]


def header(scope: Scope, name: bytes) -> str:
    """The first header of a request with that name, which is in small letters; empty where there is none."""
    for found, value in scope["headers"]:
        if found == name:
            return str(value, "latin-1")
    return ""


def _too_large(limit: int) -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request may have {limit} bytes at most", _CLOSE)
