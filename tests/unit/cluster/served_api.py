"""A server that plays the Kubernetes API as a test tells it, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from headgate.cluster.client import KubeClient
from headgate.cluster.connection import Connection

JOB = {"metadata": {"name": "extract-1", "namespace": "acme"}, "spec": {"backoffLimit": 0}}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """A request as the server got it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Api:
    """A server that answers as it is told, one answer after the other, and the last one for ever."""

    answers: list[web.Response | Handler] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        content = orjson.loads(body) if body else None
        self.seen.append(Seen(request.method, request.path, dict(request.query), dict(request.headers), content))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers)
        return await answer(request)

    @property
    def request(self) -> Seen:
        """The only request."""
        (only,) = self.seen
        return only


@dataclass
class World:
    """A server, a client of it, and what the client waited for."""

    api: Api
    kube: KubeClient
    registry: CollectorRegistry
    pauses: list[float]


def answer(body: Any = None, status: int = 200, **headers: str) -> web.Response:
    """Headers with ``_`` for ``-``."""
    return web.json_response(
        {} if body is None else body, status=status, headers={key.replace("_", "-"): v for key, v in headers.items()}
    )


def refusal(status: int, reason: str, message: str = "no", **headers: str) -> web.Response:
    return answer({"kind": "Status", "reason": reason, "message": message, "code": status}, status, **headers)


def a_connection(server: str, bearer: Callable[[], str | None] = lambda: None) -> Connection:
    return Connection(server=server, ca_path=None, certificate_path=None, key_path=None, verify=True, bearer=bearer)


@asynccontextmanager
async def world(
    *answers: web.Response | Handler, bearer: Callable[[], str | None] = lambda: None, concurrency: int = 64
) -> AsyncIterator[World]:
    api, registry, pauses = Api(list(answers) or [answer()]), CollectorRegistry(), []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", api.handle)
    async with TestServer(application) as server:
        connection = a_connection(str(server.make_url("")).rstrip("/"), bearer)
        kube = KubeClient(connection, KubeClient.counter(registry), concurrency=concurrency, sleep=sleep)
        try:
            yield World(api, kube, registry, pauses)
        finally:
            await kube.aclose()
