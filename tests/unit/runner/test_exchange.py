"""One request on a connection of its own, and what becomes of the connection."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headgate.api.builtin import Http
from headgate.runner import http
from headgate.runner.errors import NodeFailed
from headgate.runner.exchange import encoded
from tests.support.certificates import an_authority
from tests.unit.runner.tasks import HERE, secrets

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Gives the answer, and notes who comes and who goes."""

    def __init__(self, silent: bool) -> None:
        self.asked: list[bytes] = []
        self.came = asyncio.Event()
        self.gone = asyncio.Event()
        self.silent = silent
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        self.came.set()
        if not self.silent:
            writer.write(ANSWER)
        # It hangs up for nobody: whoever is done has to.
        await reader.read()
        self.gone.set()
        writer.close()


@asynccontextmanager
async def listening(*, silent: bool = False, **options: Any) -> AsyncIterator[Server]:
    """A server, until the end of the block. All who were answered have to have gone by then."""
    server = Server(silent)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, **options) as made:
        server.port = made.sockets[0].getsockname()[1]
        yield server
        if server.asked:
            await asyncio.wait_for(server.gone.wait(), 5)


def served_by(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def here(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def test_a_connection_is_closed_with_the_end_of_the_answer() -> None:
    async with listening() as server:
        await http.execute(Http(url=f"http://127.0.0.1:{server.port}/"), secrets(), HERE)

    assert server.gone.is_set()


async def test_who_is_cancelled_leaves_no_connection() -> None:
    async with listening(silent=True) as server:
        asking = asyncio.create_task(http.execute(Http(url=f"http://127.0.0.1:{server.port}/"), secrets(), HERE))
        await server.came.wait()
        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asking

    assert server.gone.is_set()


async def test_the_next_address_is_asked_where_nobody_is_at_the_first() -> None:
    async def two(_host: str, _port: int) -> list[str]:
        return ["127.0.0.9", "127.0.0.1"]

    async with listening() as server:
        node = Http(url=f"http://there.example:{server.port}/")
        assert (await http.execute(node, secrets(), HERE, resolve=two))["body"] == "ok"

    assert len(server.asked) == 1


async def test_no_other_address_is_asked_once_a_request_was_sent() -> None:
    async def twice(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1", "127.0.0.1"]

    asked: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as made:
        node = Http(url=f"http://there.example:{made.sockets[0].getsockname()[1]}/")
        with pytest.raises(NodeFailed, match=r"there\.example gave no answer"):
            await http.execute(node, secrets(), HERE, resolve=twice)

    assert len(asked) == 1


async def test_why_nobody_was_reached_does_not_tell_the_address() -> None:
    async with listening() as server:
        free = server.port
    with pytest.raises(NodeFailed) as failure:
        await http.execute(Http(url=f"http://there.example:{free}/"), secrets(), HERE, resolve=here)

    assert failure.value.message == "could not connect to there.example: Connection refused"


async def test_a_server_is_who_its_certificate_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = an_authority()
    monkeypatch.setattr(http, "trust", authority.trust)
    context = served_by(authority.server(tmp_path / "server.pem", "there.example"))
    async with listening(ssl=context) as server:
        node = Http(url=f"https://there.example:{server.port}/")
        assert (await http.execute(node, secrets(), HERE, resolve=here))["body"] == "ok"

        other = Http(url=f"https://other.example:{server.port}/")
        with pytest.raises(NodeFailed, match=r"could not connect to other\.example: .*certificate") as failure:
            await http.execute(other, secrets(), HERE, resolve=here)

    assert failure.value.reason == "HttpConnection"
    assert len(server.asked) == 1


async def test_a_server_that_nobody_vouches_for_is_sent_nothing(tmp_path: Path) -> None:
    context = served_by(an_authority().server(tmp_path / "server.pem", "there.example"))
    async with listening(ssl=context) as server:
        with pytest.raises(NodeFailed, match="certificate verify failed"):
            await http.execute(Http(url=f"https://there.example:{server.port}/"), secrets(), HERE, resolve=here)

    assert server.asked == []


@pytest.mark.parametrize(
    ("method", "target", "name", "value"),
    [
        ("GET / HTTP/1.1\r\nX:", b"/", "x", "y"),
        ("GET", b"/ HTTP/1.1\r\nX: y", "x", "y"),
        ("GET", b"/a b", "x", "y"),
        ("GET", b"", "x", "y"),
        ("GET", b"/", "x: y\r\nz", "y"),
        ("GET", b"/", "x ", "y"),
        ("GET", b"/", "", "y"),
        ("GET", b"/", "caf\u00e9", "y"),
        ("GET", b"/", "x", "y\r\nz: 1"),
        ("GET", b"/", "x", "y\nz: 1"),
        ("GET", b"/", "x", "y\r"),
        ("GET", b"/", "x", "\x00"),
        ("GET", b"/", "x", "\ud800"),
    ],
)
def test_nothing_becomes_another_header_or_request(method: str, target: bytes, name: str, value: str) -> None:
    with pytest.raises(NodeFailed) as failure:
        encoded(method, target, {name: value}, None)

    assert failure.value.reason == "InvalidRequest"


def test_a_request_is_written_as_it_is_given() -> None:
    sent = encoded("POST", b"/%41?q", {"host": "a:1", "x-name": "caf\u00e9\tau lait"}, b"\r\n\r\n")

    assert sent == (
        b"POST /%41?q HTTP/1.1\r\nhost: a:1\r\nx-name: caf\xc3\xa9\tau lait\r\n"
        b"Content-Length: 4\r\nConnection: close\r\n\r\n\r\n\r\n"
    )
