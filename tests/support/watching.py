"""Creates objects and hears at once what becomes of them: one watch per kind, as polling thousands would be a load."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from headgate.cluster.client import Object, path
from headgate.cluster.connection import Connection
from headgate.desired.keys import ApiResource
from tests.support.waiting import eventually

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


@dataclass(frozen=True)
class Answer:
    """What the API server answered, and when."""

    status: int
    body: Object
    at: float
    """On the monotonic clock."""

    @property
    def accepted(self) -> bool:
        """Whether there is such an object now."""
        return self.status == 201

    @property
    def message(self) -> str:
        """What a person would be shown who is refused."""
        return str(self.body.get("message") or "")


@dataclass
class Watch:
    """Hears of every object, and keeps each as it was when ``wanted`` held of it last."""

    session: aiohttp.ClientSession
    server: str
    wanted: Callable[[Object], bool]
    _seen: dict[str, tuple[float, Object]] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict)
    _transports: list[asyncio.Transport] = field(default_factory=list)

    async def create(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Answer:
        """Ask for an object just as it is written, in its own namespace; members that no schema knows are dropped."""
        where = path(resource, str(manifest["metadata"].get("namespace") or ""))
        body = json.dumps(manifest).encode()
        headers, query = {"Content-Type": "application/json"}, {"fieldValidation": "Ignore"}
        async with self.session.post(self.server + where, params=query, data=body, headers=headers) as response:
            raw = await response.read()
            at = time.monotonic()
        try:
            parsed = json.loads(raw)
        except ValueError:
            parsed = {"message": raw[:500].decode(errors="replace")}
        return Answer(response.status, parsed, at)

    async def seen(self, uid: str, within: float) -> tuple[float, Object] | None:
        """When ``wanted`` held of the object first, and the object; None if it did not in so many seconds."""
        if uid not in self._seen:
            event = self._waiting.setdefault(uid, asyncio.Event())
            try:
                async with asyncio.timeout(within):
                    await event.wait()
            except TimeoutError:
                return None
        return self._seen[uid]

    async def follow(self, resource: ApiResource, started: asyncio.Event) -> None:
        """Listen for ever to all that happens to objects of a kind."""
        where = self.server + path(resource)
        async with self.session.get(where, params={"limit": "1"}) as response:
            version = (await response.json())["metadata"]["resourceVersion"]
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        async with self.session.get(where, params=query, timeout=_NO_TIMEOUT) as response:
            response.raise_for_status()
            if response.connection is not None and response.connection.transport is not None:
                self._transports.append(response.connection.transport)
            started.set()
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._heard(json.loads(line))
        raise ConnectionError(f"the watch of {resource.plural} ended")

    async def hang_up(self) -> None:
        """End the watches' connections, and return when they are closed: closing TLS takes turns of the loop."""
        for transport in self._transports:
            transport.abort()
        sockets = [transport.get_extra_info("socket") for transport in self._transports]

        async def closed() -> bool:
            return all(socket is None or socket.fileno() < 0 for socket in sockets)

        await eventually(closed, every=0.01, what="the end of the watches")

    def _heard(self, event: Mapping[str, Any]) -> None:
        if event["type"] == "ERROR":
            raise ConnectionError(f"the watch was refused: {event['object']}")
        if event["type"] in ("ADDED", "MODIFIED") and self.wanted(event["object"]):
            uid = event["object"]["metadata"]["uid"]
            self._seen.setdefault(uid, (time.monotonic(), event["object"]))
            if (waiting := self._waiting.get(uid)) is not None:
                waiting.set()


@asynccontextmanager
async def watching(
    connection: Connection, resources: Iterable[ApiResource], wanted: Callable[[Object], bool]
) -> AsyncIterator[Watch]:
    """A watch over all objects of the kinds, from now on. It fails, and with it the test, when a connection ends."""
    connector = aiohttp.TCPConnector(ssl=connection.ssl_context(), limit=100)
    async with (
        aiohttp.ClientSession(connector=connector, headers=connection.headers()) as session,
        asyncio.TaskGroup() as group,
    ):
        watch = Watch(session, connection.server, wanted)
        started = {resource: asyncio.Event() for resource in resources}
        following = [group.create_task(watch.follow(resource, event)) for resource, event in started.items()]
        for event in started.values():
            await event.wait()
        yield watch
        for task in following:
            task.cancel()
        await watch.hang_up()
