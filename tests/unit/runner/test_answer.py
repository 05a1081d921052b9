"""Answers as servers send them, whole and in pieces."""

from __future__ import annotations

import asyncio

import pytest

from headgate.runner.answer import HEADER_BYTES, Answer
from headgate.runner.errors import NodeFailed

OK = b"HTTP/1.1 200 OK\r\n"


async def came(sent: bytes, piece: int, *, bodiless: bool = False, error: Exception | None = None) -> Answer:
    """What became of an answer that comes in such pieces, until its connection is lost."""
    answer = Answer("there.example", bodiless=bodiless, most_bytes=1000)
    answer.connection_made(asyncio.Transport())
    for at in range(0, len(sent), piece):
        answer.data_received(sent[at : at + piece])
    answer.connection_lost(error)
    await answer.ended()
    return answer


in_any_pieces = pytest.mark.parametrize("piece", [1, 3, 1_000_000])


@in_any_pieces
@pytest.mark.parametrize(
    "sent",
    [
        OK + b"Content-Length: 2\r\n\r\nok",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;for=you\r\nk\r\n0\r\nX-Late: 1\r\n\r\n",
        OK + b"\r\nok",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
        + OK
        + b"Content-Length: 2\r\n\r\nok",
        OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 500 Another\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["length", "chunks", "end", "old", "lines", "no-reason", "before-it", "behind-it"],
)
async def test_an_answer_is_taken_up_to_its_end_and_no_further(sent: bytes, piece: int) -> None:
    answer = await came(sent, piece)

    assert (answer.status, bytes(answer.body)) == (200, b"ok")
    assert not {"x-early", "x-late"} & set(answer.headers)


@in_any_pieces
@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_what_has_no_body_by_its_status_is_not_waited_for(status: bytes, piece: int) -> None:
    answer = await came(b"HTTP/1.1 " + status + b"\r\nContent-Length: 7\r\n\r\n", piece)

    assert answer.body == b""


async def test_to_head_there_is_no_body_whatever_the_length_says() -> None:
    answer = await came(OK + b"Content-Length: 7\r\n\r\n", 1, bodiless=True)

    assert (answer.headers, bytes(answer.body)) == ({"content-length": "7"}, b"")


@in_any_pieces
@pytest.mark.parametrize(
    "sent",
    [
        OK + b"Content-Length: 9\r\n\r\nhalf",
        OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nwhat?\r\n",
    ],
)
async def test_an_answer_without_its_end_broke_off(sent: bytes, piece: int) -> None:
    with pytest.raises(NodeFailed, match=r"the answer of there\.example broke off"):
        await came(sent, piece)


@in_any_pieces
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        OK + b"X-Half: a",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nok",
    ],
)
async def test_what_is_no_answer_is_none(sent: bytes, piece: int) -> None:
    with pytest.raises(NodeFailed, match=r"there\.example gave no answer"):
        await came(sent, piece)


async def test_an_answer_that_ends_with_its_connection_does_not_end_with_a_reset() -> None:
    with pytest.raises(NodeFailed, match="broke off: ConnectionResetError"):
        await came(OK + b"\r\nhalf", 1, error=ConnectionResetError())


@pytest.mark.parametrize("piece", [1000, 1_000_000])
@pytest.mark.parametrize(
    "sent",
    [
        OK + b"X: " + b"x" * HEADER_BYTES,
        OK + b"X: " + b"x" * HEADER_BYTES + b"\r\nContent-Length: 0\r\n\r\n",
        OK + b"X: y\r\n" * HEADER_BYTES + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * HEADER_BYTES,
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * HEADER_BYTES + b"\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * HEADER_BYTES,
        OK + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * HEADER_BYTES,
    ],
    ids=["endless", "long", "many", "before-it", "behind-it", "endless-behind-it", "of-a-chunk"],
)
async def test_headers_without_measure_are_refused(sent: bytes, piece: int) -> None:
    with pytest.raises(NodeFailed, match="headers of the answer") as failure:
        await came(sent, piece)

    assert failure.value.reason == "InvalidOutput"


@in_any_pieces
async def test_a_body_without_measure_is_refused(piece: int) -> None:
    with pytest.raises(NodeFailed, match="more than 1000 bytes"):
        await came(OK + b"\r\n" + b"x" * 1001, piece)


async def test_a_compressed_body_is_refused_before_it_comes() -> None:
    with pytest.raises(NodeFailed, match="compressed"):
        await came(OK + b"Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\n", 1)
