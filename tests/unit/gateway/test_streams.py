"""Streams end with their readers, and hold nothing back for those that do not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from headgate.domain.change_position import NotAPosition, Position, parse_position
from headgate.engine.reading.run_changes import Changes, RunChanges
from headgate.gateway import event_feed
from headgate.gateway.event_feed import Feed
from headgate.gateway.problems import Problem
from headgate.gateway.streams import Stream, Streams

ACME = UUID(int=1)


class Server:
    """As much of a server as an answer sees: what is sent, until the reader does not read any more."""

    def __init__(self, reads: int) -> None:
        self.reads = reads
        self.sent: list[dict[str, Any]] = []
        self.goes = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.goes.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if len(self.sent) >= self.reads:
            await asyncio.Event().wait()
        self.sent.append(message)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def streams(registry: CollectorRegistry) -> Streams:
    return Streams(cast("RunChanges", None), registry, most=2, most_of_workspace=1, send_seconds=0.01)


async def endless(made: list[int]) -> AsyncGenerator[bytes]:
    while True:
        made.append(len(made))
        yield b"x"


async def test_who_does_not_read_is_cut_off_and_nothing_more_is_made_for_them(
    streams: Streams, registry: CollectorRegistry
) -> None:
    made: list[int] = []
    server = Server(reads=3)

    await Stream(endless(made), streams.take_place(ACME), media_type="text/plain")({}, server.receive, server.send)

    assert len(made) == 3
    assert "more_body" not in server.sent[-1] or server.sent[-1]["more_body"]
    assert registry.get_sample_value("headgate_gateway_streams_ended_total", {"reason": "slow"}) == 1
    assert registry.get_sample_value("headgate_gateway_streams") == 0


async def test_a_place_is_given_back_when_the_reader_goes(streams: Streams, registry: CollectorRegistry) -> None:
    server = Server(reads=10**9)
    server.goes.set()

    async def silent() -> AsyncGenerator[bytes]:
        await asyncio.Event().wait()
        yield b""

    await Stream(silent(), streams.take_place(ACME), media_type="text/plain")({}, server.receive, server.send)

    assert registry.get_sample_value("headgate_gateway_streams_ended_total", {"reason": "gone"}) == 1
    streams.take_place(ACME)


async def test_a_failure_gives_the_place_back_and_is_told(streams: Streams) -> None:
    async def failing() -> AsyncGenerator[bytes]:
        yield b"x"
        raise ValueError("broken")

    server = Server(reads=10**9)
    with pytest.raises(ValueError, match="broken"):
        await Stream(failing(), streams.take_place(ACME), media_type="text/plain")({}, server.receive, server.send)
    streams.take_place(ACME)


def test_a_workspace_that_takes_all_its_places_leaves_others_theirs(streams: Streams) -> None:
    streams.take_place(ACME)
    with pytest.raises(Problem, match="streams of the workspace") as refused:
        streams.take_place(ACME)
    assert refused.value.status == 429
    streams.take_place(UUID(int=2))
    with pytest.raises(Problem) as full:
        streams.take_place(UUID(int=3))
    assert full.value.status == 503


async def test_a_comment_comes_while_nothing_happens(monkeypatch: pytest.MonkeyPatch, streams: Streams) -> None:
    nothing = Changes((), Position(5, 0, 0), more=False, settled=5, unused=5, lost=False)

    class Quiet:
        async def since(self, *_: Any) -> Changes:
            return nothing

        async def news(self, *_: Any) -> Any:
            await asyncio.Event().wait()

    async def may_read() -> bool:
        return True

    monkeypatch.setattr(event_feed, "CHECK_SECONDS", 0.001)
    quiet = cast("RunChanges", Quiet())
    news = Streams(quiet, CollectorRegistry(), most=1, most_of_workspace=1).news
    feed = Feed(quiet, ACME, None, news, streams.take_place(ACME), may_read, ended=False)
    told = feed.events(nothing)

    assert [await anext(told) for _ in range(4)] == [
        b"retry: 2000\n\n",
        b"id: 5-0-0\nevent: open\ndata: {}\n\n",
        b": still here\n\n",
        b": still here\n\n",
    ]
    await told.aclose()


@pytest.mark.parametrize("text", ["", "1", "1-2", "1-2-3-4", "a-2-3", "1--2-3", "1-2-3\n", "1" * 19 + "-2-3"])
def test_what_is_no_position_is_none(text: str) -> None:
    with pytest.raises(NotAPosition):
        parse_position(text)


def test_a_position_is_read_as_it_was_written() -> None:
    assert parse_position(str(Position(90211, 7, 1773144000))) == Position(90211, 7, 1773144000)
