"""What a step does in every peer: one HTTP request, with as little around it as can be."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit


async def call(url: str) -> None:
    """Call the target. Raises ``RuntimeError`` for any answer but 200."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError("the target gave another answer")
