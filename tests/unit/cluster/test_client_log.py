from __future__ import annotations

import pytest
from aiohttp import web

from headgate.cluster.errors import ApiError, Unreachable
from tests.unit.cluster.served_api import Handler, refusal, world


def text(*pieces: bytes, broken: bool = False) -> Handler:
    """A log that comes in pieces, whose end may never come."""

    async def send(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if broken:
            assert request.transport is not None
            request.transport.close()
        return response

    return send


async def test_a_log_comes_as_it_was_written() -> None:
    async with world(text(b"one\n", b"\xff\x00two\n")) as it:
        pieces = [piece async for piece in it.kube.log("acme", "extract-1", "main")]

        assert b"".join(pieces) == b"one\n\xff\x00two\n"
        assert it.api.request.path == "/api/v1/namespaces/acme/pods/extract-1/log"
        assert it.api.request.query == {"container": "main"}
        assert it.api.request.headers["Accept"] == "*/*"


async def test_what_is_read_can_be_bounded() -> None:
    async with world(text(b"x")) as it:
        _ = [piece async for piece in it.kube.log("acme", "p", "main", limit_bytes=5, tail_lines=7, follow=True)]

        bounds = {"container": "main", "limitBytes": "5", "tailLines": "7", "follow": "true"}
        assert it.api.request.query == bounds


async def test_a_log_is_read_on_from_a_second_with_the_times_of_its_lines() -> None:
    async with world(text(b"x")) as it:
        since = "2026-11-26T10:00:00Z"
        _ = [piece async for piece in it.kube.log("acme", "p", "main", since=since, timestamps=True)]

        assert it.api.request.query == {"container": "main", "sinceTime": since, "timestamps": "true"}


async def test_a_refusal_is_the_server_s() -> None:
    async with world(refusal(400, "BadRequest", "container is waiting to start")) as it:
        with pytest.raises(ApiError, match="waiting to start") as caught:
            _ = [piece async for piece in it.kube.log("acme", "p", "main")]

        assert caught.value.is_invalid
        labels = {"verb": "GET", "resource": "pods/log", "code": "400"}
        assert it.registry.get_sample_value("headgate_kubernetes_requests_total", labels) == 1


async def test_a_log_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    async with world(text(b"one\n", broken=True)) as it:
        with pytest.raises(Unreachable, match="could not be read"):
            _ = [piece async for piece in it.kube.log("acme", "p", "main")]
