"""A proxy on this machine for libraries that connect by themselves: they get where a connector may reach."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from headgate.runner.connectors.reach import CONNECTION, Reach
from headgate.runner.errors import NodeFailed

_HEAD_BYTES = 65_536
_CHUNK = 65_536
TOO_LARGE = "TooLarge"


@dataclass
class Door:
    """Lets HTTP requests and TLS through to addresses that were checked, up to so many bytes of answers in all.

    When it closes, so does every connection through it, whoever still waits for an answer.
    """

    reach: Reach
    most_bytes: int
    url: str = ""
    """What a library is to use as its proxy."""
    refused: NodeFailed | None = None
    """Why something was not let through: the library that asked tells it in words of its own, if at all."""
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _cut: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let one connection through."""
        task = asyncio.current_task()
        if self._cut or task is None:
            writer.close()
            return
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            await self._through(reader, writer)
        except NodeFailed as refused:
            self.refused = self.refused or refused
            with contextlib.suppress(OSError):
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            return
        except asyncio.CancelledError:
            # The server would report its handler's cancellation as an error.
            if not self._cut:
                raise
        finally:
            writer.close()

    def cut(self) -> None:
        """Let nothing through any more, and end what is under way."""
        self._cut = True
        for task in self._open:
            task.cancel()

    async def close(self) -> None:
        """As ``cut``, and return when all has ended."""
        self.cut()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, _, rest = head.partition("\r\n")
        method, target, version = request.split(" ")
        if method == "CONNECT":
            host, port, forward = *_place(f"//{target}", 443), ""
        else:
            parts = urlsplit(target)
            host, port = _place(target, 80)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            # One request for each connection: the next one may be for another host.
            kept = [line for line in rest.split("\r\n") if not line.lower().startswith(("connection:", "proxy-"))]
            forward = f"{method} {path} {version}\r\nConnection: close\r\n" + "\r\n".join(kept)
        there_reader, there = await asyncio.open_connection(sock=await self.reach.connect(host, port))
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            there.write(forward.encode("latin-1"))
            sending = asyncio.create_task(_pump(reader, there))
            try:
                await self._answers(there_reader, writer)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        finally:
            there.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            self.most_bytes -= len(chunk)
            if self.most_bytes < 0:
                self.refused = self.refused or NodeFailed(TOO_LARGE, "the other side sent more than can be taken")
                return
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def opened(reach: Reach, most_bytes: int) -> AsyncIterator[Door]:
    """A door, until the end of the block. What was refused at it is raised instead of what became of that."""
    door = Door(reach, most_bytes)
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0, limit=_HEAD_BYTES)
    door.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield door
    except Exception:
        if door.refused is not None:
            raise door.refused from None
        raise
    finally:
        server.close()
        await door.close()


def _place(url: str, usual: int) -> tuple[str, int]:
    parts = urlsplit(url)
    if not parts.hostname:
        raise NodeFailed(CONNECTION, "the address names no host")
    return parts.hostname, parts.port or usual


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
