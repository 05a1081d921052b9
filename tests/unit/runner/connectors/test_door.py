"""The proxy that libraries connect through, by a library that does."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from headgate.runner.connectors import door
from headgate.runner.connectors.guarded_loop import elsewhere
from headgate.runner.connectors.reach import Reach
from headgate.runner.connectors.threads import in_thread
from headgate.runner.errors import NodeFailed
from tests.support.http_server import serving
from tests.unit.runner.connectors.nodes import INTERNET, REACH, answering
from tests.unit.runner.tasks import HERE


async def asked(url: str, reach: Reach, most_bytes: int = 1000, **more: Any) -> httpx.Response:
    async with door.opened(reach, most_bytes) as opened:
        async with httpx.AsyncClient(proxy=opened.url, trust_env=False) as client:
            answer = await client.get(url, **more)
        if opened.refused is not None:
            raise opened.refused
        return answer


async def test_a_request_goes_to_the_checked_address_with_the_name_that_was_asked_for() -> None:
    with serving() as server:
        server.answers["/a?b=1"] = (200, {}, b"there")

        answer = await asked(server.url("/a?b=1", "service.example"), Reach(HERE, answering("127.0.0.1")))

    [(_, _, headers, _)] = server.asked
    assert (answer.text, headers["host"]) == ("there", f"service.example:{server.port}")


async def test_an_address_that_may_not_be_reached_is_not() -> None:
    with serving() as server, pytest.raises(NodeFailed, match="may not be reached"):
        await asked(server.url("/"), INTERNET)
    assert server.asked == []


async def test_tls_is_let_through_as_it_is_and_its_address_checked() -> None:
    with serving() as server:
        with pytest.raises(httpx.ConnectError):
            await asked(f"https://127.0.0.1:{server.port}/", REACH)
        with pytest.raises(NodeFailed, match="may not be reached"):
            await asked(f"https://127.0.0.1:{server.port}/", INTERNET)


async def test_more_than_can_be_taken_is_cut_off() -> None:
    with serving() as server:
        server.answers["/"] = (200, {}, b"x" * 5000)

        with pytest.raises(NodeFailed) as failure:
            await asked(server.url("/"), REACH)

    assert failure.value.reason == "TooLarge"


async def test_what_blocks_ends_when_its_attempt_is_cancelled() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"

    async def ask() -> None:
        async with door.opened(REACH, 1000) as opened:
            with httpx.Client(proxy=opened.url, trust_env=False, timeout=60) as client:
                await in_thread(lambda: client.get(url), opened.cut)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await ask()
    silent.close()


async def test_a_loop_of_its_own_connects_to_the_checked_address_only() -> None:
    with serving() as server:
        server.answers["/"] = (200, {}, b"there")

        async def ask() -> bytes:
            reader, writer = await asyncio.open_connection("service.example", server.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            content = await reader.read()
            writer.close()
            return content

        async with elsewhere(Reach(HERE, answering("127.0.0.1"))) as there:
            assert (await there.run(ask())).endswith(b"there")
        async with elsewhere(Reach(INTERNET.networks, answering("127.0.0.1"))) as there:
            with pytest.raises(NodeFailed, match="may not be reached"):
                await there.run(ask())
