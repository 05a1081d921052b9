"""Servers of other systems that tests talk to: they speak the real protocols on this machine, and keep nothing."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

from hack.tools import tool

BUCKET, ACCESS_KEY, SECRET_KEY = "lake", "AKIDHEADGATE", "s3-secret-of-the-tests"


@contextmanager
def double(name: str, *arguments: str) -> Iterator[str]:
    """Where a compiled double listens, until the end of the block."""
    with subprocess.Popen(
        [tool(name), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


@asynccontextmanager
async def over_tcp(url: str) -> AsyncIterator[str]:
    """The url by which a Postgres that listens on a socket can be reached at an address of this machine."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    path = f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}"

    under_way = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        there_reader, there = await asyncio.open_unix_connection(path)
        try:
            # The server would report its handler's cancellation as an error.
            with suppress(asyncio.CancelledError):
                await asyncio.gather(_pump(reader, there), _pump(there_reader, writer))
        finally:
            there.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"postgresql://{parts.username}:{parts.password}@{host}:{port}{parts.path}"
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()
