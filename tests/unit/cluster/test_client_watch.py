from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web

from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS
from headgate.cluster.wire import lines
from tests.unit.cluster.served_api import JOB, Handler, answer, refusal, world


def stream(*events: dict[str, Any], then: bytes = b"") -> Handler:
    """A watch that tells these events and ends; ``then`` are its last bytes."""

    async def send(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for event in events:
            await response.write(orjson.dumps(event) + b"\n")
        await response.write(then)
        return response

    return send


def told(kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"name": name, "resourceVersion": "8"}}}


async def test_a_watch_tells_what_happened_since_a_version() -> None:
    async with world(stream(told("ADDED", "a"), told("DELETED", "b"))) as it:
        seen = [(kind, item["metadata"]["name"]) async for kind, item in it.kube.watch(JOBS, labels="a=b", version=7)]

        assert seen == [("ADDED", "a"), ("DELETED", "b")]
        assert it.api.request.path == "/apis/batch/v1/jobs"
        query = it.api.request.query
        assert (query["watch"], query["resourceVersion"], query["labelSelector"]) == ("1", "7", "a=b")
        assert query["allowWatchBookmarks"] == "true"
        assert int(query["timeoutSeconds"]) > 0


async def test_an_error_inside_a_watch_is_the_server_s_refusal() -> None:
    expired = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}

    async with world(stream(told("ADDED", "a"), expired)) as it:
        with pytest.raises(ApiError, match="410 Expired: too old") as caught:
            [event async for event in it.kube.watch(JOBS, version=7)]

        assert caught.value.is_gone


async def test_a_refused_watch_is_the_server_s_refusal() -> None:
    async with world(refusal(403, "Forbidden")) as it:
        with pytest.raises(ApiError, match="403 Forbidden"):
            [event async for event in it.kube.watch(JOBS, version=7)]


async def test_a_watch_of_which_a_line_is_damaged_is_broken() -> None:
    async with world(stream(then=b'{"type": \n')) as it:
        with pytest.raises(Unreachable, match="the watch of jobs broke"):
            [event async for event in it.kube.watch(JOBS, version=7)]


async def test_a_line_that_was_cut_off_tells_nothing() -> None:
    async with world(stream(told("ADDED", "a"), then=b'{"type": "ADD')) as it:
        assert len([event async for event in it.kube.watch(JOBS, version=7)]) == 1


async def test_a_watch_takes_no_place_of_a_request() -> None:
    opened, released = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        opened.set()
        await released.wait()
        return response

    async with world(hold, answer(JOB), concurrency=1) as it:
        watching = asyncio.create_task(anext(it.kube.watch(JOBS, version=7), None))
        await opened.wait()

        assert await it.kube.get(JOBS, "extract-1", "acme") == JOB

        released.set()
        await watching


@pytest.mark.parametrize(
    ("chunks", "whole"),
    [
        ([b"one\ntwo\n"], [b"one", b"two"]),
        ([b"o", b"n", b"e\nt", b"wo\n"], [b"one", b"two"]),
        ([b"one\n", b"\n", b"two\n"], [b"one", b"two"]),
        ([b"one\ntw"], [b"one"]),
        ([], []),
    ],
)
async def test_lines_are_put_together_from_chunks(chunks: list[bytes], whole: list[bytes]) -> None:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    assert [line async for line in lines(arriving())] == whole
