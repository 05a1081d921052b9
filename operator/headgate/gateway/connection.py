"""Connections of the HTTP server: an answer is one write where it can be, and what has come is read before the end."""

from __future__ import annotations

import asyncio
import select
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD = b"HTTP/1.1 "


class Connection(HttpToolsProtocol):
    """One connection. The server hands over head and body by themselves, and a write is what a short answer costs."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(cast("asyncio.Transport", Joining(transport, self.loop)))

    def timeout_keep_alive_handler(self) -> None:
        """End a connection over which nothing came for a while.

        Where the process was busy, it looks at the time before it reads: a request may be there already. To end the
        connection then would cut its caller off without an answer.
        """
        if not _unread(self.transport):
            super().timeout_keep_alive_handler()


class Joining:
    """A transport that holds the head of an answer until more is written, or the event loop comes round.

    So a stream's head does not wait for what it tells, and nothing else is ever held.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it, behind what was held."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether it ends, or has."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End it once all is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)


def _unread(transport: asyncio.BaseTransport) -> bool:
    """Whether something has come that was not read yet, if it be that the other side is gone."""
    connected = transport.get_extra_info("socket")
    if connected is None or transport.is_closing():
        return False
    waiting = select.poll()
    waiting.register(connected.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
