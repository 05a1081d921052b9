"""Answers that last: how many there may be, when they end, and how they are sent."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from http import HTTPStatus
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter, Gauge
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from headgate.engine.reading.run_changes import RunChanges
from headgate.gateway.news import News
from headgate.gateway.problems import RETRY_SECONDS, Problem

SEND_SECONDS = 20.0
"""How long a reader may leave what was sent to it unread before it is cut off."""
TOO_MANY = "TooManyStreams"


class Streams:
    """The streams of one replica. None holds a connection to Postgres, or more than one page of what it sends."""

    def __init__(
        self,
        changes: RunChanges,
        registry: CollectorRegistry,
        *,
        most: int,
        most_of_workspace: int,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        """``most`` is for the replica, ``most_of_workspace`` for each workspace."""
        self.news = News(changes)
        """Wakes those who follow a workspace."""
        self.send_seconds = send_seconds
        self.closing = False
        """Whether all are to end, as the process does: whoever follows goes on elsewhere."""
        self._most = most
        self._most_of_workspace = most_of_workspace
        self._open: Tally[UUID] = Tally()
        self._gauge = Gauge("headgate_gateway_streams", "Streams that are open.", registry=registry)
        self._ended = Counter(
            "headgate_gateway_streams_ended_total", "Streams that ended, by why.", ["reason"], registry=registry
        )

    def close(self) -> None:
        """End all of them, each when it looks next, which is at once."""
        self.closing = True
        self.news.wake_all()

    def take_place(self, workspace_id: UUID) -> Place:
        """Room for one more stream. Raises ``Problem``: 429 where the workspace has too many, 503 where all have."""
        headers = {"Retry-After": RETRY_SECONDS}
        if self._open[workspace_id] >= self._most_of_workspace:
            detail = f"{self._most_of_workspace} streams of the workspace are open here already: end some, or share one"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers, reason=TOO_MANY)
        if self._open.total() >= self._most:
            detail = "this replica of the gateway has as many streams as it may: try again"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers, reason=TOO_MANY)
        self._open[workspace_id] += 1
        self._gauge.inc()
        return Place(self, workspace_id)

    def leave(self, workspace_id: UUID, reason: str) -> None:
        """One stream less."""
        self._open[workspace_id] -= 1
        if not self._open[workspace_id]:
            del self._open[workspace_id]
        self._gauge.dec()
        self._ended.labels(reason).inc()


class Place:
    """The room that one stream takes."""

    def __init__(self, streams: Streams, workspace_id: UUID) -> None:
        self._streams = streams
        self._workspace_id = workspace_id
        self.reason = "over"
        """Why the stream ends, in one word for the metric."""

    @property
    def closing(self) -> bool:
        """Whether the stream is to end with the process."""
        return self._streams.closing

    @property
    def send_seconds(self) -> float:
        """How long one piece may take to be sent."""
        return self._streams.send_seconds

    def leave(self) -> None:
        """Give it back."""
        self._streams.leave(self._workspace_id, self.reason)


class Stream(Response):
    """Sends pieces as they come, to a reader who may go at any time, and who is cut off if they do not read.

    Every piece waits until the one before it has been taken from us, so that nothing piles up here.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        place: Place,
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # Neither a proxy nor a browser is to hold back, or to keep, what is worth something right now.
        told = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})}
        super().__init__(headers=told, media_type=media_type)
        del self.headers["content-length"]
        self._pieces = pieces
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            done, _ = await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending not in done:
                self._place.reason = "gone"
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            self._place.leave()
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error

    async def _send(self, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            try:
                await self._put(
                    send, {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                async for piece in pieces:
                    await self._put(send, {"type": "http.response.body", "body": piece, "more_body": True})
                await self._put(send, {"type": "http.response.body", "body": b"", "more_body": False})
            except TimeoutError:
                # The answer stays without its end, so that the server closes the connection.
                self._place.reason = "slow"

    async def _put(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self._place.send_seconds):
            await send(message)


async def _gone(receive: Receive) -> None:
    """Return when the reader has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
