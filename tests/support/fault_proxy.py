"""A proxy in front of the API server that lies, forgets and breaks off, as networks and overloaded servers do."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import orjson
from aiohttp import web

from headgate.cluster.connection import Connection
from headgate.cluster.wire import lines

_KEPT_LISTS = 200
_PASSED_ON = ("Authorization", "Content-Type", "Accept")


@dataclass(frozen=True)
class Faults:
    """How often, from 0 to 1, each of these happens."""

    drop_event: float = 0.0
    """Of the events of watches: it is never told."""
    cut_watch: float = 0.0
    """At every event of a watch: the connection breaks off before it."""
    stale_list: float = 0.0
    """Of lists: an earlier answer to the same question is given, with its version."""
    refuse: float = 0.0
    """Of requests: answered with 429, 500 or 503 and never passed on."""
    lose_answer: float = 0.0
    """Of requests that write: carried out, and the connection breaks off before the answer."""


NONE = Faults()


@dataclass
class FaultProxy:
    """Passes everything on but for the faults of the moment, which may be set at any time."""

    upstream: Connection
    randomness: random.Random
    faults: Faults = NONE
    happened: Counter[str] = field(default_factory=Counter)
    """How often each fault came about."""
    url: str = ""
    _lists: dict[str, list[bytes]] = field(default_factory=dict)
    _session: aiohttp.ClientSession | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        is_lease = "/leases/" in request.path
        if not is_lease and self._strikes("refuse"):
            status = self.randomness.choice((429, 500, 503))
            return web.json_response({"kind": "Status", "code": status, "message": "a fault"}, status=status)
        if request.query.get("watch"):
            return await self._watch(request)
        reading = request.method == "GET"
        listing = reading and "limit" in request.query
        body = await request.read()
        async with self._send(request, body) as answer:
            payload, status, kind = await answer.read(), answer.status, answer.headers.get("Content-Type", "")
        if listing and status == 200:
            payload = self._perhaps_stale(request.path_qs, payload)
        if not reading and not is_lease and self._strikes("lose_answer"):
            self._break_off(request)
        return web.Response(body=payload, status=status, headers={"Content-Type": kind})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        async with self._send(request, b"") as answer:
            if answer.status != 200:
                return web.Response(body=await answer.read(), status=answer.status)
            await response.prepare(request)
            async for line in lines(answer.content.iter_any()):
                if self._strikes("cut_watch"):
                    self._break_off(request)
                    return response
                # What a watch says of its own state is not an event of an object.
                if orjson.loads(line)["type"] not in ("BOOKMARK", "ERROR") and self._strikes("drop_event"):
                    continue
                with contextlib.suppress(ConnectionError):
                    await response.write(line + b"\n")
        return response

    def _perhaps_stale(self, question: str, answer: bytes) -> bytes:
        earlier = self._lists.setdefault(question, [])
        stale = self.randomness.choice(earlier) if earlier and self._strikes("stale_list") else answer
        earlier.append(answer)
        del earlier[:-5]
        if len(self._lists) > _KEPT_LISTS:
            self._lists.pop(next(iter(self._lists)))
        return stale

    def _strikes(self, fault: str) -> bool:
        if self.randomness.random() >= getattr(self.faults, fault):
            return False
        self.happened[fault] += 1
        return True

    @staticmethod
    def _break_off(request: web.Request) -> None:
        if request.transport is not None:
            request.transport.abort()

    @asynccontextmanager
    async def _send(self, request: web.Request, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None
        kept = {
            name: value
            for name, value in request.headers.items()
            if name in ("Authorization", "Content-Type", "Accept")
        }
        async with self._session.request(
            request.method, self.upstream.server + request.path_qs, data=body or None, headers=kept
        ) as answer:
            yield answer

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FaultProxy]:
        """Serve on a port of loopback."""
        application = web.Application(client_max_size=32 * 2**20)
        application.router.add_route("*", "/{tail:.*}", self.handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        # Certificates of the upstream's client are for the proxy alone; callers bring their tokens.
        connector = aiohttp.TCPConnector(ssl=self.upstream.ssl_context(), limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True) as session:
            self._session = session
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                yield self
            finally:
                await asyncio.shield(runner.cleanup())
