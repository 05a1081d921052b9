"""One request to an ASGI application, and all that it sends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

GONE = {"type": "http.disconnect"}


@dataclass
class Exchange:
    """A request whose body comes in these pieces, and what was sent for it."""

    method: str
    path: str
    pieces: list[Any] = field(default_factory=lambda: [b""])
    """Of the body; ``GONE`` where its sender goes. After the last piece nothing comes any more."""
    headers: dict[str, str] = field(default_factory=dict)
    sent: list[Message] = field(default_factory=list)
    scope: dict[str, Any] = field(default_factory=dict)
    failure: Exception | None = None
    """In which it ended, as far as its server knows."""

    async def through(self, app: ASGIApp) -> Exchange:
        """Have the application answer it."""
        self.scope = {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in self.headers.items()],
        }
        left = list(self.pieces)

        async def receive() -> Message:
            if not left:
                await asyncio.Event().wait()
            piece = left.pop(0)
            if piece is GONE:
                return dict(GONE)
            return {"type": "http.request", "body": piece, "more_body": bool(left)}

        async def send(message: Message) -> None:
            self.sent.append(message)

        try:
            await app(self.scope, receive, send)
        except Exception as failure:
            self.failure = failure
        return self

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.sent[0]["status"])

    @property
    def fields(self) -> dict[str, str]:
        """The headers of the answer."""
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """Of the answer."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])
