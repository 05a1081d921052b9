"""What comes is bounded before anybody looks at it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from headgate.gateway.limits import LEVELS, BodyLimit
from tests.unit.gateway.asgi import GONE, Exchange


class Inner:
    """The application behind it: what it was given."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        while not self.events or self.events[-1].get("more_body", False):
            self.events.append(await receive())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def inner() -> Inner:
    return Inner()


def bounded(inner: Inner, **more: Any) -> BodyLimit:
    return BodyLimit(inner, limit=10, larger={"/large/": 20}, streamed="/streamed", **more)


def sending(*pieces: Any, path: str = "/x", **headers: str) -> Exchange:
    return Exchange("POST", path, list(pieces), headers)


@pytest.mark.parametrize("pieces", [[b"[1, 2, 3]"], [b"[1, ", b"", b"2, 3]"]])
async def test_a_body_comes_as_one_however_it_was_sent(inner: Inner, pieces: list[bytes]) -> None:
    await sending(*pieces).through(bounded(inner))

    assert inner.events == [{"type": "http.request", "body": b"[1, 2, 3]", "more_body": False}]


async def test_who_goes_before_the_end_is_told_of_as_gone(inner: Inner) -> None:
    await sending(b"[1, ", GONE).through(bounded(inner))

    assert inner.events == [{"type": "http.request", "body": b"[1, ", "more_body": True}, GONE]


@pytest.mark.parametrize(
    "exchange",
    [
        sending(b"x" * 11),
        sending(b"x" * 6, b"x" * 6),
        sending(b"", **{"Content-Length": "11"}),
        sending(b"x" * 21, path="/large/x"),
    ],
)
async def test_what_is_too_large_is_refused_told_or_not(inner: Inner, exchange: Exchange) -> None:
    await exchange.through(bounded(inner))

    assert (exchange.status, exchange.fields["connection"]) == (413, "close")
    assert inner.events == []


async def test_what_the_path_may_have_is_taken(inner: Inner) -> None:
    exchange = await sending(b"x" * 20, path="/large/x", **{"Content-Length": "20"}).through(bounded(inner))

    assert exchange.status == 204


async def test_what_does_not_come_is_waited_for_no_longer_than_a_while(inner: Inner) -> None:
    exchange = Exchange("POST", "/x", [])

    await exchange.through(bounded(inner, patience_seconds=0.01))

    assert (exchange.status, exchange.fields["connection"]) == (408, "close")
    assert inner.events == []


async def test_what_is_nested_too_deep_is_refused_in_pieces_too(inner: Inner) -> None:
    deep = b"[" * (LEVELS + 1)
    exchange = await sending(deep[:600], deep[600:]).through(BodyLimit(inner, limit=10_000))

    assert exchange.status == 400
    assert inner.events == []
