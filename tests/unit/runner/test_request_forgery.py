"""What somebody would make an ``http`` node ask in their place: none of it is connected to, straight or by redirect."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from headgate.api.builtin import Http
from headgate.domain.addresses import Block, internet
from headgate.runner import http
from headgate.runner.errors import NodeFailed
from headgate.runner.networks import Networks
from tests.unit.runner.tasks import secrets

OUTSIDE = "127.0.0.2"
"""Stands for a public address, which no test may call: it alone of this machine is allowed."""
NETWORKS = Networks.of([*internet(), Block(f"{OUTSIDE}/32")])
EVERYTHING = Networks.of([Block("0.0.0.0/0"), Block("::/0")])
NAMES = {
    "outside.example": [OUTSIDE],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "ip6-localhost": ["::1"],
    "loopback.example": ["127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "either.example": [OUTSIDE, "127.0.0.1"],
    "unspecified.example": ["0.0.0.0"],
    "scoped.example": ["fe80::1%lo"],
    "metadata.google.internal": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "database.headgate-system.svc.cluster.local": ["fd00:10:96::9"],
}
"""What the cluster's DNS would say. Whatever else is no number has no address."""
PAYLOADS = (
    # Loopback, in every way in which resolvers read an IPv4 address.
    "http://127.0.0.1:{port}/", "http://127.1:{port}/", "http://127.0.1:{port}/", "http://127.255.255.254:{port}/",
    "http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0177.0.0.1:{port}/", "http://017700000001:{port}/", "http://0177.0.0x1:{port}/",
    "http://127.000.000.001:{port}/", "http://127.0.0.1.:{port}/", "http://127.0.0.1:0{port}/",
    "http://0:{port}/", "http://0.0.0.0:{port}/", "http://0x0:{port}/",
    # IPv6, and IPv4 inside of it.
    "http://[::1]:{port}/", "http://[0:0:0:0:0:0:0:1]:{port}/", "http://[::]:{port}/", "http://[::%31]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/", "http://[0:0:0:0:0:ffff:7f00:0001]:{port}/",
    "http://[::127.0.0.1]:{port}/", "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::10.0.0.1]/",
    "http://[2002:7f00:1::]:{port}/", "http://[2002:a9fe:a9fe::1]/", "http://[2001:0:7f00:1::]:{port}/",
    "http://[fe80::1%25lo]:{port}/", "http://[fe80::1%lo]:{port}/", "http://[::1%25lo]:{port}/",
    "http://[fd00:ec2::254]/", "http://[fc00::1]/", "http://[ff02::1]/", "http://[fec0::1]/",
    # Where clouds and clusters hand out what is theirs.
    "http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/",
    "http://169.254.43518/", "http://100.100.100.200/", "http://168.63.129.16/", "http://metadata.google.internal/",
    "http://kubernetes.default.svc/", "https://kubernetes.default.svc:443/",
    "http://database.headgate-system.svc.cluster.local:5432/",
    # Other networks that are nobody's to reach.
    "http://10.0.0.1/", "http://10.1/", "http://172.16.0.1/", "http://192.168.257/", "http://100.64.0.1/",
    "http://192.0.0.1/", "http://198.18.0.1/", "http://224.0.0.1/", "http://255.255.255.255/", "http://240.0.0.1/",
    # Names, however they are written.
    "http://localhost:{port}/", "http://LOCALHOST:{port}/", "http://localhost.:{port}/", "http://ip6-localhost:{port}/",
    "http://loopback.example:{port}/", "http://mapped.example:{port}/", "http://either.example:{port}/",
    "http://unspecified.example:{port}/", "http://scoped.example:{port}/", "http://localhost%00.example:{port}/",
    "http://\N{FULLWIDTH DIGIT ONE}27.0.0.1:{port}/", "http://127\N{IDEOGRAPHIC FULL STOP}0.0.1:{port}/",
    "http://127\N{FULLWIDTH FULL STOP}0\N{HALFWIDTH IDEOGRAPHIC FULL STOP}0.1:{port}/",
    "http://\N{CIRCLED DIGIT ONE}\N{CIRCLED DIGIT TWO}\N{CIRCLED DIGIT SEVEN}.0.0.1:{port}/",
    "http://\N{FULLWIDTH LATIN SMALL LETTER L}ocalhost:{port}/", "http://%31%32%37.0.0.1:{port}/",
    # What one program takes for the host and another does not.
    "http://outside.example@127.0.0.1:{port}/", "http://outside.example:80@127.0.0.1:{port}/",
    "http://outside.example%00@127.0.0.1:{port}/", "http://outside.example\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@outside.example/", "http://127.0.0.1:{port}#@outside.example/",
    "http://127.0.0.1:{port}?@outside.example/", "http://127.0.0.1:{port};outside.example/",
    "http://outside.example:80:{port}/", "http://[::1]outside.example:{port}/", "http://[outside.example]:{port}/",
    "http://127.0.0.1\t:{port}/", "http://127.0.0.1:{port}\r\n/", "http://127.0.0.1%0d%0a:{port}/",
    "http:///127.0.0.1:{port}/", "http:127.0.0.1:{port}/", "http:/\\127.0.0.1:{port}/", "http://:{port}/",
    # Schemes that lead past all of it.
    "file:///etc/passwd", "gopher://127.0.0.1:{port}/_GET%20/", "ftp://127.0.0.1:{port}/", "dict://127.0.0.1:{port}/x",
    "ws://127.0.0.1:{port}/", "unix:///run/containerd.sock", "http+unix://%2frun%2fdocker.sock/", "data:text/plain,x",
)  # fmt: skip
BY_REDIRECT_ONLY = ("//127.0.0.1:{port}/", "//localhost:{port}/", "\\\\127.0.0.1:{port}/", "///127.0.0.1:{port}/")
every_payload = pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
every_target = pytest.mark.parametrize("payload", [*PAYLOADS, *BY_REDIRECT_ONLY], ids=ascii)


async def resolve(host: str, port: int) -> list[str]:
    """As the system's resolver has it: numbers in all their forms, and names by the cluster's DNS."""
    if (known := NAMES.get(host.lower())) is not None:
        return known
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


@dataclass
class Place:
    """A server that notes who comes."""

    port: int = 0
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    came: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came.append(b"")
        self.came[-1] = await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        writer.close()

    def redirects_to(self, target: str) -> None:
        self.answer = b"HTTP/1.1 302 Found\r\nLocation: " + target.encode() + b"\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def inside() -> AsyncIterator[Place]:
    """On every address that this machine has."""
    place = Place()
    bound = (
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        if socket.has_dualstack_ipv6()
        else socket.create_server(("0.0.0.0", 0))
    )
    async with await asyncio.start_server(place.serve, sock=bound):
        place.port = bound.getsockname()[1]
        yield place


@pytest.fixture
async def outside() -> AsyncIterator[Place]:
    place = Place()
    async with await asyncio.start_server(place.serve, OUTSIDE, 0) as server:
        place.port = server.sockets[0].getsockname()[1]
        yield place


@pytest.fixture
async def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were connected to, whoever is there. What is not of this machine is out of reach."""
    tried: list[str] = []
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def noting(sock: socket.socket, address: Any) -> None:
        tried.append(address[0])
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise ConnectionRefusedError
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", noting)
    return tried


async def asked(url: str, networks: Networks = NETWORKS) -> Any:
    # As an expression may have made it: nothing of a url's form was looked at before.
    return await http.execute(Http.model_construct(url=url), secrets(), networks, resolve=resolve)


def test_there_are_fifty_payloads_at_least() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 50


@every_payload
async def test_what_is_asked_for_is_never_connected_to(inside: Place, tried: list[str], payload: str) -> None:
    with pytest.raises(NodeFailed) as failure:
        await asked(payload.format(port=inside.port))

    assert (tried, inside.came) == ([], [])
    assert failure.value.reason in {"HttpAddress", "InvalidRequest", "HttpConnection"}


@every_target
async def test_what_a_redirect_leads_to_is_never_connected_to(
    inside: Place, outside: Place, tried: list[str], payload: str
) -> None:
    outside.redirects_to(payload.format(port=inside.port))

    with pytest.raises(NodeFailed):
        await asked(f"http://outside.example:{outside.port}/")

    # Some are no more than another path of the server that says so.
    assert set(tried) == {OUTSIDE}
    assert inside.came == []


async def test_a_chain_of_redirects_is_looked_at_to_its_end(inside: Place, outside: Place, tried: list[str]) -> None:
    async with await asyncio.start_server((last := Place()).serve, OUTSIDE, 0) as server:
        outside.redirects_to(f"http://outside.example:{server.sockets[0].getsockname()[1]}/")
        last.redirects_to(f"http://127.0.0.1:{inside.port}/")

        with pytest.raises(NodeFailed, match=r"127\.0\.0\.1, which may not be reached"):
            await asked(f"http://outside.example:{outside.port}/")

    assert (len(outside.came), len(last.came), inside.came, tried) == (1, 1, [], [OUTSIDE] * 2)


async def test_a_name_that_means_another_address_at_the_second_look_gains_nothing(
    inside: Place, outside: Place, tried: list[str]
) -> None:
    answers = [[OUTSIDE], ["127.0.0.1"]]

    async def rebound(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    node = Http.model_construct(url=f"http://rebound.example:{outside.port}/")
    assert (await http.execute(node, secrets(), NETWORKS, resolve=rebound))["status"] == 200
    assert (answers, tried) == ([["127.0.0.1"]], [OUTSIDE])

    with pytest.raises(NodeFailed, match=r"127\.0\.0\.1, which may not be reached"):
        await http.execute(node, secrets(), NETWORKS, resolve=rebound)
    assert (inside.came, tried) == ([], [OUTSIDE])


async def test_a_redirect_to_the_same_name_has_it_looked_up_and_checked_anew(
    inside: Place, outside: Place, tried: list[str]
) -> None:
    answers = [[OUTSIDE], ["127.0.0.1"]]
    outside.redirects_to(f"http://rebound.example:{inside.port}/")

    async def rebound(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    node = Http.model_construct(url=f"http://rebound.example:{outside.port}/")
    with pytest.raises(NodeFailed, match=r"127\.0\.0\.1, which may not be reached"):
        await http.execute(node, secrets(), NETWORKS, resolve=rebound)
    assert (inside.came, tried) == ([], [OUTSIDE])


@pytest.mark.parametrize(
    "payload", ["http://127.0.0.1:{port}/", "http://2130706433:{port}/", "http://0177.0.0.0x1:{port}/",
                "http://localhost:{port}/", "http://127\N{IDEOGRAPHIC FULL STOP}0.0.1:{port}/"],
    ids=ascii,
)  # fmt: skip
async def test_all_of_that_would_have_been_connected_to_where_it_is_allowed(
    inside: Place, tried: list[str], payload: str
) -> None:
    assert (await asked(payload.format(port=inside.port), EVERYTHING))["status"] == 200

    assert (len(inside.came), tried) == (1, ["127.0.0.1"])


async def test_what_is_allowed_is_asked(outside: Place, tried: list[str]) -> None:
    assert (await asked(f"http://outside.example:{outside.port}/"))["body"] == "ok"

    assert (len(outside.came), tried) == (1, [OUTSIDE])
