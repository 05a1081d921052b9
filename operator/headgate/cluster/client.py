"""Requests to the API server: plain dicts in and out, one shared session, bounded concurrency."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry, Counter

from headgate.cluster.connection import Connection
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import PODS
from headgate.cluster.wire import Object, lines, parsed, path, pause_before_repeating, seconds, selectors
from headgate.dependencies import DependencyGuard, NotAsked, unguarded
from headgate.desired.keys import ApiResource
from headgate.domain.dependency_breaker import DependencyName
from headgate.domain.json_bytes import decode, encode

__all__ = ["FIELD_MANAGER", "KubeClient", "Object"]

FIELD_MANAGER = "headgate"

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON = "application/json"
PAGE = 100
"""Objects in a page of a list, which is held as parsed JSON: some ten times what the cache keeps of them."""
_TRIES = 4
_WATCH_SECONDS = 290
_SILENCE_SECONDS = 120
"""The API server sends a bookmark every minute or so: after two without one the connection is taken for dead."""
_LOG_SILENCE_SECONDS = 30
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)


class KubeClient:
    """Talks to one API server.

    Every method raises ``ApiError`` for the server's refusals and ``Unreachable`` when no answer came. What was refused
    without being done, and not for what is in it, is repeated up to three times: 429, 503 with Retry-After, and a
    creation that met others in the count of a ResourceQuota.
    """

    def __init__(
        self,
        connection: Connection,
        requests: Counter,
        *,
        concurrency: int = 64,
        seconds: float = 30,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        guard: DependencyGuard | None = None,
    ) -> None:
        """A request is given up after so many ``seconds``.

        Without a ``guard`` the server is always asked. So it is for watches and logs, which wait for themselves alone.
        """
        self._connection = connection
        self._sleep = sleep
        self._guard = guard or unguarded(DependencyName.KUBERNETES)
        self._slots = asyncio.Semaphore(concurrency)
        self._requests = requests
        self._session = aiohttp.ClientSession(
            # The slots bound requests; a watch keeps a connection to itself and takes none of them.
            connector=aiohttp.TCPConnector(ssl=connection.ssl_context(), limit=0),
            timeout=aiohttp.ClientTimeout(total=seconds, connect=5),
            headers={"User-Agent": "headgate", "Accept": _JSON},
        )

    @staticmethod
    def counter(registry: CollectorRegistry) -> Counter:
        """The counter of requests, for all clients of a process."""
        return Counter(
            "headgate_kubernetes_requests_total",
            "Requests to the Kubernetes API.",
            ["verb", "resource", "code"],
            registry=registry,
        )

    async def aclose(self) -> None:
        """Close the session."""
        await self._session.close()

    async def get(self, resource: ApiResource, name: str, namespace: str = "") -> Object:
        """One object."""
        return await self._request("GET", resource, path(resource, namespace, name))

    async def list_pages(
        self, resource: ApiResource, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> AsyncIterator[Object]:
        """The pages of a list, as the server returns them, each with its ``metadata.resourceVersion``."""
        query = {"limit": str(PAGE)} | selectors(labels, fields)
        while True:
            page = await self._request("GET", resource, path(resource, namespace), query=query, verb="LIST")
            yield page
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    async def present_version(self, resource: ApiResource) -> int:
        """The version from which on a watch tells of what happens from now on. Reads one object at most."""
        page = await self._request("GET", resource, path(resource), query={"limit": "1"}, verb="LIST")
        return int(page["metadata"]["resourceVersion"])

    async def watch(
        self, resource: ApiResource, *, labels: str = "", fields: str = "", version: int
    ) -> AsyncIterator[tuple[str, Object]]:
        """The events (type and object) since ``version``, until the server ends the watch after some minutes.

        Bookmarks are among them. Raises ``ApiError`` also for an error that the server sends as an event: 410 where it
        no longer has what came after ``version``.
        """
        query = {"watch": "1", "resourceVersion": str(version), "allowWatchBookmarks": "true"}
        query |= {"timeoutSeconds": str(_WATCH_SECONDS)} | selectors(labels, fields)
        timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_read=_SILENCE_SECONDS)
        try:
            async with self._session.get(
                self._connection.server + path(resource),
                params=query,
                headers=self._connection.headers(),
                timeout=timeout,
            ) as response:
                self._requests.labels("WATCH", resource.plural, str(response.status)).inc()
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise ApiError.of(response.status, parsed(await response.read()), None)
                async for line in lines(response.content.iter_any()):
                    event = decode(line)
                    if event["type"] == "ERROR":
                        raise ApiError.of(int(event["object"].get("code", 0)), event["object"], None)
                    yield event["type"], event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unreachable(f"the watch of {resource.plural} broke: {type(error).__name__}") from error

    async def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        limit_bytes: int | None = None,
        tail_lines: int | None = None,
        since: str | None = None,
        timestamps: bool = False,
        follow: bool = False,
    ) -> AsyncGenerator[bytes]:
        """What a container has written, as it comes: from its beginning, its last lines, or those since a whole second.

        With ``timestamps`` each line begins with when it was written, and a space. With ``follow`` it goes on until the
        container ends, and silence is no failure. Raises like all others, also in the middle. It takes no slot: whoever
        reads logs bounds how many at the same time.
        """
        asked = {"container": container, "limitBytes": limit_bytes, "tailLines": tail_lines, "sinceTime": since}
        query = {name: str(value) for name, value in asked.items() if value is not None}
        query |= {name: "true" for name, wanted in (("timestamps", timestamps), ("follow", follow)) if wanted}
        timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_read=None if follow else _LOG_SILENCE_SECONDS)
        try:
            async with self._session.get(
                self._connection.server + path(PODS, namespace, pod) + "/log",
                params=query,
                headers={**self._connection.headers(), "Accept": "*/*"},
                timeout=timeout,
            ) as response:
                self._requests.labels("GET", "pods/log", str(response.status)).inc()
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise ApiError.of(response.status, parsed(await response.read()), None)
                async for chunk in response.content.iter_any():
                    yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"the log of a pod could not be read: {type(error).__name__}") from error

    async def apply(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Object:
        """Server-side apply with force; the object as it is afterwards."""
        metadata = manifest["metadata"]
        where = path(resource, metadata.get("namespace", ""), metadata["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._request("PATCH", resource, where, query=query, body=manifest, content=_APPLY, verb="APPLY")

    async def create(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Object:
        """Create an object."""
        where = path(resource, manifest["metadata"].get("namespace", ""))
        return await self._request("POST", resource, where, query={"fieldManager": FIELD_MANAGER}, body=manifest)

    async def replace(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Object:
        """Replace an object; its ``metadata.resourceVersion``, when given, must still be the current one."""
        metadata = manifest["metadata"]
        where = path(resource, metadata.get("namespace", ""), metadata["name"])
        return await self._request("PUT", resource, where, query={"fieldManager": FIELD_MANAGER}, body=manifest)

    async def merge_patch(
        self, resource: ApiResource, name: str, namespace: str, patch: Mapping[str, Any], *, subresource: str = ""
    ) -> Object:
        """Change an object, or a subresource such as ``status``, by a JSON merge patch."""
        where = path(resource, namespace, name) + (f"/{subresource}" if subresource else "")
        return await self._request(
            "PATCH", resource, where, query={"fieldManager": FIELD_MANAGER}, body=patch, content=_MERGE
        )

    async def delete(
        self, resource: ApiResource, name: str, namespace: str = "", *, uid: str = "", foreground: bool = False
    ) -> None:
        """Delete an object and what it owns: afterwards, or with ``foreground`` before. Only that one with ``uid``."""
        options: Object = {"propagationPolicy": "Foreground" if foreground else "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        await self._request("DELETE", resource, path(resource, namespace, name), body=options)

    async def delete_collection(self, resource: ApiResource, namespace: str, *, labels: str) -> None:
        """Delete all objects of a kind in a namespace that have these labels, and afterwards what they own."""
        options = {"propagationPolicy": "Background"}
        where, query = path(resource, namespace), selectors(labels, "")
        await self._request("DELETE", resource, where, query=query, body=options, verb="DELETECOLLECTION")

    async def _request(
        self,
        method: str,
        resource: ApiResource,
        where: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = _JSON,
        verb: str = "",
    ) -> Object:
        data = encode(body) if body is not None else None
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._once(method, resource, where, query, data, content, verb or method)
            except ApiError as error:
                pause = pause_before_repeating(method, error, attempt)
                if pause is None or attempt == _TRIES:
                    raise
            await self._sleep(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    async def _once(
        self,
        method: str,
        resource: ApiResource,
        where: str,
        query: Mapping[str, str] | None,
        data: bytes | None,
        content: str,
        verb: str,
    ) -> Object:
        headers = {**self._connection.headers(), "Content-Type": content}
        try:
            async with (
                self._guard.asking_among(self._slots, _unanswered),
                self._session.request(
                    method, self._connection.server + where, params=query, data=data, headers=headers
                ) as response,
            ):
                raw = await response.read()
                status, retry_after = response.status, response.headers.get("Retry-After")
        except NotAsked as error:
            raise Unreachable(str(error)) from error
        except _FAILURES as error:
            self._requests.labels(verb, resource.plural, "none").inc()
            raise Unreachable(_no_answer(error)) from error
        self._requests.labels(verb, resource.plural, str(status)).inc()
        answer = parsed(raw)
        if status >= HTTPStatus.BAD_REQUEST:
            raise ApiError.of(status, answer, seconds(retry_after))
        return answer


def _unanswered(error: Exception) -> str | None:
    """Whatever the server answers, it is there; and an address that cannot be asked is our own mistake."""
    failed = isinstance(error, _FAILURES) and not isinstance(error, aiohttp.InvalidURL)
    return _no_answer(error) if failed else None


def _no_answer(error: Exception) -> str:
    return f"no answer from the API server: {type(error).__name__}"
