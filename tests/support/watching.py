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

from headgate.cluster.connection import Connection
from headgate.cluster.wire import Object, path
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
    """Hears of every object, and keeps each as it was when ``wanted`` first held of it."""

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
        version = ""
        while True:
            version = version or await self._look(resource)
            try:
                async for event in self._events(resource, version, started):
                    version = self._heard(event)
            except aiohttp.ClientError:
                continue

    async def _look(self, resource: ApiResource) -> str:
        """See all objects as they are, and from which version on to listen."""
        async with self.session.get(self.server + path(resource)) as response:
            response.raise_for_status()
            listed = await response.json()
        for item in listed["items"]:
            self._heard({"type": "ADDED", "object": item})
        return str(listed["metadata"]["resourceVersion"])

    async def _events(
        self, resource: ApiResource, version: str, started: asyncio.Event
    ) -> AsyncIterator[Mapping[str, Any]]:
        """What happens from a version on, until the server hangs up, as it does on those who listen too slowly."""
        query = {"watch": "true", "resourceVersion": version}
        async with self.session.get(self.server + path(resource), params=query, timeout=_NO_TIMEOUT) as response:
            if response.connection is not None and response.connection.transport is not None:
                self._transports.append(response.connection.transport)
            started.set()
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)

    async def hang_up(self) -> None:
        """End the watches' connections, and return when they are closed: closing TLS takes turns of the loop."""
        for transport in self._transports:
            transport.abort()
        sockets = [transport.get_extra_info("socket") for transport in self._transports]

        async def closed() -> bool:
            return all(socket is None or socket.fileno() < 0 for socket in sockets)

        await eventually(closed, every=0.01, what="the end of the watches")

    def _heard(self, event: Mapping[str, Any]) -> str:
        """Take note; the version to go on from, which is none where the server says that it is too old."""
        item = event["object"]
        if event["type"] == "ERROR" or "metadata" not in item:
            return ""
        if event["type"] in ("ADDED", "MODIFIED") and self.wanted(item):
            uid = item["metadata"]["uid"]
            self._seen.setdefault(uid, (time.monotonic(), item))
            if (waiting := self._waiting.get(uid)) is not None:
                waiting.set()
        return str(item["metadata"]["resourceVersion"])


@asynccontextmanager
async def watching(
    connection: Connection, resources: Iterable[ApiResource], wanted: Callable[[Object], bool]
) -> AsyncIterator[Watch]:
    """A watch over all objects of the kinds."""
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
