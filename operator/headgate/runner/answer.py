"""An answer of HTTP, as it comes in."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import httptools

from headgate.runner.errors import NodeFailed

HEADER_BYTES = 65_536
"""The headers of an answer have at most that many bytes, and so has whatever else is no body."""


class Answer(asyncio.Protocol):
    """Takes one answer, no more of it than is allowed, and nothing behind it. httptools reads it."""

    def __init__(self, host: str, *, bodiless: bool, most_bytes: int) -> None:
        """``host`` is named in failures. To HEAD an answer is ``bodiless``, whatever its headers say."""
        self._host = host
        self._bodiless = bodiless
        self._most_bytes = most_bytes
        self._done = asyncio.get_running_loop().create_future()
        self._failure: NodeFailed | None = None
        self._since_body = 0
        self._header_bytes = 0
        self._in_body = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    def connection_made(self, _transport: asyncio.BaseTransport) -> None:
        """As a protocol has it."""
        self._parser = httptools.HttpResponseParser(self)
        # What many servers do that should not, and has one meaning nevertheless.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    async def ended(self) -> None:
        """Return when all of it has come. Raises ``NodeFailed``."""
        await self._done
        if self._failure is not None:
            raise self._failure

    def data_received(self, data: bytes) -> None:
        """As a protocol has it."""
        if self._done.done():
            return
        self._since_body += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._broken(type(error).__name__)
        if self._since_body > HEADER_BYTES:
            # httptools holds a header until it is whole.
            self._too_long_a_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """As a protocol has it."""
        if exc is None and self._in_body and not self._framed():
            self._end()
        self._broken("it hung up" if exc is None else type(exc).__name__)
        # Each holds the other, and the body with it.
        del self._parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """As httptools has it. What comes behind a body is left out."""
        if self._done.done():
            return
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_BYTES:
            self._too_long_a_head()
        elif not self._in_body:
            key, text = name.decode("latin-1").lower(), _text(value)
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """As httptools has it."""
        if self._done.done():
            return
        self.status = self._parser.get_status_code()
        if self.status < HTTPStatus.OK:
            # Another one comes.
            self.headers.clear()
            return
        self._in_body = True
        if self.headers.get("content-encoding", "identity") != "identity":
            self._fail("InvalidOutput", f"the answer of {self._host} is compressed, although it was asked not to be")
        elif self._bodiless:
            self._end()

    def on_body(self, body: bytes) -> None:
        """As httptools has it."""
        if self._done.done():
            return
        self._since_body = 0
        self.body += body
        if len(self.body) > self._most_bytes:
            self._fail("InvalidOutput", f"the answer of {self._host} has more than {self._most_bytes} bytes")

    def on_message_complete(self) -> None:
        """As httptools has it."""
        if self._in_body:
            self._end()

    def _framed(self) -> bool:
        """Whether the answer itself says where it ends: what does not, ends with its connection."""
        return "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "").lower()

    def _too_long_a_head(self) -> None:
        self._fail("InvalidOutput", f"the headers of the answer of {self._host} have more than {HEADER_BYTES} bytes")

    def _end(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _broken(self, how: str) -> None:
        what = f"the answer of {self._host} broke off" if self._in_body else f"{self._host} gave no answer"
        self._fail("HttpConnection", f"{what}: {how}")

    def _fail(self, reason: str, message: str) -> None:
        if not self._done.done():
            self._failure = NodeFailed(reason, message)
            self._done.set_result(None)


def _text(raw: bytes) -> str:
    """A header's value in the encoding that it most likely has."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
