"""Server-Sent Events as they come."""

from __future__ import annotations

import codecs
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event. ``id`` is from where to go on behind it; None where the event before it said so."""

    name: str
    data: Any
    id: str | None = None


async def events(pieces: AsyncIterator[bytes]) -> AsyncGenerator[Event]:
    """The events of a stream, however it was cut into pieces; comments are left out."""
    decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
    async for piece in pieces:
        rest = (rest + decoder.decode(piece)).replace("\r\n", "\n")
        *blocks, rest = rest.split("\n\n")
        for block in blocks:
            if (event := parsed(block)) is not None:
                yield event


def parsed(block: str) -> Event | None:
    """The event that lines say; None where they say none."""
    name, identity, data = "message", None, []
    for line in block.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                name = value
            case "id":
                identity = value
            case "data":
                data.append(value)
    if not data and identity is None:
        return None
    try:
        return Event(name, json.loads("\n".join(data)) if data else None, identity)
    except ValueError:
        return None
