"""Answers that last, as somebody reads them: from a real server, event by event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.component.api_client import Api
from tests.component.listening import listening


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    name: str
    data: Any
    id: str | None = None

    @property
    def brief(self) -> str:
        """What it tells in a word or two."""
        data = self.data
        match self.name:
            case "run":
                return str(data["phase"])
            case "step":
                return f"{data['node']}/{data['attempt']} {data['phase']}{' log' if data['logKept'] else ''}"
            case name:
                return f"{name} {data.get('reason', '')}".strip()


def parsed(block: str) -> Event | None:
    """The event of a block of lines; None where it is a comment, or has no data."""
    fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
    return Event(fields["event"], json.loads(fields["data"]), fields.get("id")) if "data" in fields else None


def events_of(text: str) -> list[Event]:
    """All events of a stream that has ended."""
    return [event for block in text.split("\n\n") if (event := parsed(block)) is not None]


@asynccontextmanager
async def serving(api: Api) -> AsyncIterator[str]:
    """The replica on a port of its own, with its URL."""
    async with listening(api.app) as url:
        yield url
        api.streams.close()


class Reading:
    """A stream that is being read."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._chunks: AsyncIterator[str] | None = None
        self._rest = ""

    @property
    def _text(self) -> AsyncIterator[str]:
        if self._chunks is None:
            self._chunks = self.answer.aiter_text()
        return self._chunks

    async def next(self, within: float = 10.0) -> Event:
        """The next event, which must come."""
        async with asyncio.timeout(within):
            while True:
                while "\n\n" not in self._rest:
                    self._rest += await anext(self._text)
                block, _, self._rest = self._rest.partition("\n\n")
                if (event := parsed(block)) is not None:
                    return event

    async def until(self, brief: str) -> list[Event]:
        """All events up to that one."""
        found = [await self.next()]
        while found[-1].brief != brief:
            found.append(await self.next())
        return found

    async def has_ended(self) -> bool:
        """Whether nothing more comes; waits for it."""
        async with asyncio.timeout(10):
            return not self._rest and not "".join([text async for text in self._text])


@asynccontextmanager
async def reading(url: str, path: str, token: str, *, after: str | None = None) -> AsyncIterator[Reading]:
    """Read a stream of ``acme``."""
    headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": after} if after else {})}
    async with (
        httpx.AsyncClient(base_url=url, timeout=30) as http,
        http.stream("GET", f"/api/v1/workspaces/acme{path}", headers=headers) as answer,
    ):
        yield Reading(answer)
