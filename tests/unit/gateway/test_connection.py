"""Head and body of an answer leave together, a head alone does not wait, and who has asked already is answered."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvloop
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from headgate.gateway.connection import Connection, Joining

REQUEST = b"GET /x HTTP/1.1\r\nHost: gateway\r\n\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written, each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.wrote = asyncio.Event()
        self.closing = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))
        self.wrote.set()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Served:
    """A connection, and what the application does when it is told to."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.next = asyncio.Event()
        self.pieces: list[bytes] = [b"all"]
        self.state = ServerState()
        config = Config(cast("Any", self), lifespan="off", log_config=None, proxy_headers=False)
        self.connection = Connection(config, self.state, {})
        self.connection.connection_made(self.transport)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        size = sum(map(len, self.pieces))
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        left = list(self.pieces)
        while left:
            if len(left) < len(self.pieces) or not left[0]:
                await self.next.wait()
            piece = left.pop(0)
            await send({"type": "http.response.body", "body": piece, "more_body": bool(left)})

    async def ended(self) -> None:
        while self.state.tasks:
            await asyncio.wait(self.state.tasks)


@pytest.fixture
async def served() -> Served:
    return Served()


async def test_an_answer_is_one_write(served: Served) -> None:
    served.connection.data_received(REQUEST)
    await served.ended()

    [whole] = served.transport.writes
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b"content-length: 3\r\n\r\nall")


async def test_the_head_of_a_stream_does_not_wait_for_what_it_tells(served: Served) -> None:
    served.pieces = [b"", b"later"]
    served.connection.data_received(REQUEST)
    await served.transport.wrote.wait()

    assert served.transport.writes[0].endswith(b"\r\n\r\n")
    served.next.set()
    await served.ended()
    assert b"".join(served.transport.writes).endswith(b"\r\n\r\nlater")


async def test_answers_to_requests_that_came_at_once_keep_their_order(served: Served) -> None:
    served.connection.data_received(REQUEST + REQUEST)
    await served.ended()

    assert served.state.total_requests == 2
    assert len(served.transport.writes) == 2


async def test_a_connection_that_ends_is_sent_what_was_written(served: Served) -> None:
    served.connection.data_received(REQUEST.replace(b"1.1", b"1.0"))
    await served.ended()

    [whole] = served.transport.writes
    assert whole.endswith(b"connection: close\r\n\r\nall")
    assert served.transport.closing


async def test_what_is_held_is_written_before_a_connection_ends(served: Served) -> None:
    joining = Joining(served.transport, asyncio.get_running_loop())
    joining.write(b"HTTP/1.1 200 OK\r\n\r\n")
    joining.close()

    assert served.transport.writes == [b"HTTP/1.1 200 OK\r\n\r\n"]
    assert joining.is_closing()


async def test_what_is_held_is_not_written_to_a_connection_that_ended(served: Served) -> None:
    loop, came_round = asyncio.get_running_loop(), asyncio.Event()
    Joining(served.transport, loop).write(b"HTTP/1.1 200 OK\r\n\r\n")
    served.transport.close()
    loop.call_soon(came_round.set)
    await came_round.wait()

    assert served.transport.writes == []


class Timed:
    """The running event loop, of which a test knows what is called when a connection's time is over."""

    def __init__(self) -> None:
        self.over: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio.get_running_loop(), name)

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self.over = call
        return asyncio.get_running_loop().call_later(seconds, call)


class Answering:
    """A server of one connection, whose time is over when a test says so, and its client."""

    def __init__(self) -> None:
        config = Config(cast("Any", self), lifespan="off", log_config=None, proxy_headers=False, timeout_keep_alive=600)
        self.timed = Timed()
        self.connection = Connection(config, ServerState(), {}, cast("Any", self.timed))
        self.client = socket.socket()
        self.client.setblocking(False)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        await send({"type": "http.response.body", "body": b"all"})

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """The client asked once, and was answered."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: self.connection, "127.0.0.1")
        try:
            with self.client:
                await loop.sock_connect(self.client, server.sockets[0].getsockname())
                self.client.send(REQUEST)
                assert await self.receive()
                yield
        finally:
            server.close()
            await server.wait_closed()

    def ask_unheard(self) -> None:
        """Ask. The server has the request, and does not read it before the event loop comes round."""
        self.client.send(REQUEST)
        reads, _, _ = select.select([self.connection.transport.get_extra_info("socket")], [], [], 10)
        assert reads

    def end_of_time(self) -> None:
        assert self.timed.over is not None
        self.timed.over()

    async def receive(self) -> bytes:
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(self.client, 4096)


def test_a_request_that_came_while_the_process_was_busy_is_answered() -> None:
    async def scenario() -> bytes:
        answering = Answering()
        async with answering.connected():
            answering.ask_unheard()
            answering.end_of_time()
            return await answering.receive()

    assert uvloop.run(scenario()).endswith(b"\r\n\r\nall")


def test_a_connection_over_which_nothing_comes_ends() -> None:
    async def scenario() -> bytes:
        answering = Answering()
        async with answering.connected():
            answering.end_of_time()
            return await answering.receive()

    assert uvloop.run(scenario()) == b""
