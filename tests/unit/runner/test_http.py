"""``http`` nodes against a real server of this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from headgate.api.builtin import Http
from headgate.runner import http
from headgate.runner.errors import NodeFailed
from headgate.runner.networks import Networks
from tests.support.http_server import Served, serving
from tests.unit.runner.tasks import HERE, a_task, an_executor, secrets


@pytest.fixture
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


async def here(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers each request with these bytes and hangs up: its url, and the requests' heads."""
    asked: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", asked


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"what?\r\n\r\n"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_request_is_sent_once_though_its_connection_breaks(answer: bytes, method: str) -> None:
    async with answering(answer) as (url, asked):
        with pytest.raises(NodeFailed) as failure:
            await http.execute(Http.model_validate({"url": url, "method": method}), secrets(), HERE)

    assert failure.value.reason == "HttpConnection"
    assert len(asked) == 1


async def test_headers_of_any_bytes_and_some_length_are_given_as_text() -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Old: caf\xe9\r\nX-New: caf\xc3\xa9\r\nX-New: two\r\nX-Long: " + b"x" * 20_000
    async with answering(head + b"\r\nContent-Length: 0\r\n\r\n") as (url, _):
        output = await http.execute(Http(url=url), secrets(), HERE)

    assert (output["headers"]["x-old"], output["headers"]["x-new"]) == ("caf\u00e9", "caf\u00e9, two")
    assert len(output["headers"]["x-long"]) == 20_000
    json.dumps(output, ensure_ascii=False).encode()


async def test_nothing_is_sent_that_nobody_asked_for_and_the_path_as_it_is_written() -> None:
    async with answering(b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\n\r\n") as (url, asked):
        for _ in range(2):
            await http.execute(Http(url=f"{url}%41//..%2f?q=%7e#part", method="POST"), secrets(), HERE)

    assert asked[0] == asked[1]
    line, *fields = asked[0].decode().lower().split("\r\n")
    assert line == "post /%41//..%2f?q=%7e http/1.1"
    assert {name.partition(":")[0] for name in fields if name} == {
        "host", "user-agent", "accept", "accept-encoding", "content-length", "connection",
    }  # fmt: skip


async def test_an_answer_in_json_is_parsed(server: Served) -> None:
    server.answers["/rows?since=3"] = (200, {"Content-Type": "application/json; charset=utf-8"}, b'{"rows": [1, 2]}')

    output = await http.execute(Http(url=server.url("/rows?since=3")), secrets(), HERE)

    assert (output["status"], output["body"]) == (200, {"rows": [1, 2]})
    assert output["headers"]["content-type"] == "application/json; charset=utf-8"


async def test_method_headers_and_body_arrive_and_secrets_with_them(server: Served) -> None:
    server.answers["/in"] = (201, {}, b"thanks")
    node = Http.model_validate(
        {
            "method": "POST",
            "url": server.url("/in"),
            "headers": [
                {"name": "X-Kind", "value": "a"},
                {"name": "Authorization", "secretKeyRef": {"name": "token", "key": "k"}},
            ],
            "body": "hello",
        }
    )

    output = await http.execute(node, secrets(token="Bearer hunter22\n"), HERE)

    [(method, path, headers, body)] = server.asked
    assert (method, path, body) == ("POST", "/in", b"hello")
    assert (headers["x-kind"], headers["authorization"]) == ("a", "Bearer hunter22")
    assert (output["status"], output["body"]) == (201, "thanks")


async def test_the_name_is_resolved_once_and_the_checked_address_is_connected_to(server: Served) -> None:
    server.answers["/"] = (200, {}, b"ok")
    answers = iter([["127.0.0.1"]])

    async def once(_host: str, _port: int) -> list[str]:
        return next(answers)

    await http.execute(Http(url=server.url("/", "service.example")), secrets(), HERE, resolve=once)

    [(_, _, headers, _)] = server.asked
    assert headers["host"] == f"service.example:{server.port}"


async def test_an_address_of_this_machine_is_refused_unless_allowed(server: Served) -> None:
    with pytest.raises(NodeFailed) as failure:
        await http.execute(Http(url=server.url("/")), secrets(), Networks.parse(""))

    assert failure.value.reason == "HttpAddress"
    assert server.asked == []


async def test_every_redirect_is_checked(server: Served) -> None:
    server.answers["/"] = (302, {"Location": "http://metadata.internal/latest"}, b"")

    async def resolve(host: str, _port: int) -> list[str]:
        return ["169.254.169.254" if host == "metadata.internal" else "127.0.0.1"]

    with pytest.raises(NodeFailed, match=r"169\.254\.169\.254, which may not be reached"):
        await http.execute(Http(url=server.url("/")), secrets(), HERE, resolve=resolve)


async def test_a_redirect_to_another_origin_gets_no_credentials(server: Served) -> None:
    server.answers["/"] = (307, {"Location": server.url("/there", "other.example")}, b"")
    server.answers["/there"] = (200, {}, b"ok")
    node = Http.model_validate(
        {
            "method": "POST",
            "url": server.url("/", "one.example"),
            "body": "hello",
            "headers": [
                {"name": "X-Api-Key", "secretKeyRef": {"name": "token", "key": "k"}},
                {"name": "Cookie", "value": "session=1"},
                {"name": "X-Kind", "value": "a"},
            ],
        }
    )

    await http.execute(node, secrets(token="hunter22"), HERE, resolve=here)

    first, second = server.asked
    assert "x-api-key" in first[2]
    assert (second[0], second[3]) == ("POST", b"hello")
    assert "x-kind" in second[2]
    assert not {"x-api-key", "cookie"} & set(second[2])


async def test_after_see_other_the_target_is_read(server: Served) -> None:
    server.answers["/"] = (303, {"Location": "/done"}, b"")
    server.answers["/done"] = (200, {}, b"ok")

    await http.execute(Http(url=server.url("/"), method="POST", body="x"), secrets(), HERE)

    assert [(asked[0], asked[3]) for asked in server.asked] == [("POST", b"x"), ("GET", b"")]


async def test_redirects_are_followed_only_so_often(server: Served) -> None:
    server.answers["/"] = (302, {"Location": "/"}, b"")

    with pytest.raises(NodeFailed, match="more than 2 redirects"):
        await http.execute(Http(url=server.url("/"), max_redirects=2), secrets(), HERE)

    assert len(server.asked) == 3


async def test_another_status_is_a_failure_with_the_beginning_of_the_answer(server: Served) -> None:
    server.answers["/"] = (503, {}, b"come back later")

    with pytest.raises(NodeFailed, match=r"127\.0\.0\.1 answered 503: come back later") as failure:
        await http.execute(Http(url=server.url("/")), secrets(), HERE)

    assert failure.value.reason == "HttpStatus"


async def test_an_expected_status_is_a_success(server: Served) -> None:
    output = await http.execute(Http(url=server.url("/gone"), expect_status=(404,)), secrets(), HERE)

    assert output["status"] == 404


async def test_a_long_answer_is_not_read_to_its_end(server: Served) -> None:
    server.answers["/"] = (200, {}, b"x" * 1_000_000)

    with pytest.raises(NodeFailed, match="more than 65536 bytes"):
        await http.execute(Http(url=server.url("/")), secrets(), HERE)


async def test_an_output_beyond_the_limit_says_so(server: Served) -> None:
    server.answers["/"] = (200, {}, b"x" * 5000)

    result = await an_executor().execute(a_task({"http": {"url": server.url("/")}}))

    assert (result.succeeded, result.reason) == (False, "InvalidOutput")
    assert "the limit is 4096" in result.message


async def test_a_server_that_echoes_a_secret_gives_it_to_nobody(server: Served) -> None:
    server.answers["/"] = (200, {"Content-Type": "application/json", "X-Echo": "hunter22"}, b'{"token": "hunter22"}')
    work = {"http": {"url": server.url("/"), "headers": [{"name": "A", "secretKeyRef": {"name": "token", "key": "k"}}]}}

    result = await an_executor(token="hunter22").execute(a_task(work))

    assert result.succeeded
    assert "hunter22" not in json.dumps(result.output)


@pytest.mark.parametrize("url", ["http://user:pass@x.example/", "ftp://x.example/", "http:///x", "http://[::1"])
async def test_a_url_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(NodeFailed) as failure:
        await http.execute(Http.model_construct(url=url), secrets(), HERE)

    assert failure.value.reason == "InvalidRequest"


async def test_a_port_where_nobody_listens_is_a_failed_connection(server: Served) -> None:
    with pytest.raises(NodeFailed, match=r"could not connect to 127\.0\.0\.1") as failure:
        await http.execute(Http(url="http://127.0.0.1:1/"), secrets(), HERE)

    assert failure.value.reason == "HttpConnection"
