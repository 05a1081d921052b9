"""A request and its answer, on a connection that is theirs alone."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import h11

from headgate.runner.errors import NodeFailed
from headgate.runner.networks import connected

HEADER_BYTES = 65_536
"""All headers of an answer have at most that many bytes, and so does the head of a chunk."""
CONNECT_SECONDS = 10.0
"""How long an address may take until it can be asked, what TLS takes included."""
_CHUNK = 65_536
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


@dataclass(frozen=True)
class Encoded:
    """A request as it is sent, and what is expected of its answer."""

    sent: bytes
    state: h11.Connection


@dataclass(frozen=True)
class Tls:
    """How a connection is encrypted."""

    context: ssl.SSLContext
    name: str
    """Whom the certificate has to be of."""


class NotConnectedError(Exception):
    """No connection came about, and nothing was sent. Its text says why, and names no address."""


def encoded(method: str, target: bytes, headers: Mapping[str, str], body: bytes | None) -> Encoded:
    """The request, to be sent once. Raises ``NodeFailed``."""
    state = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_BYTES)
    # Space around a value is no part of it.
    fields = [(name.encode(), value.strip(" \t").encode()) for name, value in headers.items()]
    if body is not None or method not in _WITHOUT_BODY:
        fields.append((b"content-length", str(len(body or b"")).encode()))
    fields.append((b"connection", b"close"))
    try:
        sent = state.send(h11.Request(method=method, target=target, headers=fields))
        if body:
            sent = (sent or b"") + (state.send(h11.Data(data=body)) or b"")
        state.send(h11.EndOfMessage())
    except (h11.LocalProtocolError, UnicodeError):
        raise NodeFailed("InvalidRequest", "a header holds characters that no header can") from None
    return Encoded(sent or b"", state)


async def exchange(
    request: Encoded, address: str, port: int, tls: Tls | None, most_bytes: int, host: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer. Raises ``NotConnectedError`` and ``NodeFailed``, which names ``host``."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                sock=await connected(address, port),
                ssl=tls.context if tls is not None else None,
                server_hostname=tls.name if tls is not None else None,
            )
    except OSError as error:
        raise NotConnectedError(_why(error)) from None
    except UnicodeError:
        raise NodeFailed("HttpConnection", f"{host} is no name of a host") from None
    answer = _Answer(request.state, host, most_bytes)
    try:
        # It is in memory as it is: that it is not waited for lets a server answer before it has read all.
        writer.write(request.sent)
        while not answer.take():
            request.state.receive_data(await reader.read(_CHUNK))
        return answer.status, answer.headers, bytes(answer.body)
    except (h11.RemoteProtocolError, OSError) as error:
        what = f"the answer of {host} broke off" if answer.begun else f"{host} gave no answer"
        raise NodeFailed("HttpConnection", f"{what}: {type(error).__name__}") from None
    finally:
        writer.transport.abort()


class _Answer:
    """What has come of an answer."""

    def __init__(self, state: h11.Connection, host: str, most_bytes: int) -> None:
        self._state = state
        self._host = host
        self._most_bytes = most_bytes
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    @property
    def begun(self) -> bool:
        """Whether its head has come."""
        return self.status != 0

    def take(self) -> bool:
        """Take what has come; whether that is all. Raises ``h11.RemoteProtocolError`` and ``NodeFailed``."""
        while (event := self._state.next_event()) is not h11.NEED_DATA:
            match event:
                case h11.Response():
                    self._head(event)
                case h11.Data():
                    self.body += event.data
                    if len(self.body) > self._most_bytes:
                        said = f"the answer of {self._host} has more than {self._most_bytes} bytes"
                        raise NodeFailed("InvalidOutput", said)
                case h11.EndOfMessage():
                    return True
        return False

    def _head(self, event: h11.Response) -> None:
        self.status = event.status_code
        for raw_name, raw_value in event.headers:
            name, value = raw_name.decode("ascii"), _text(raw_value)
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        if self.headers.get("content-encoding", "identity") != "identity":
            said = f"the answer of {self._host} is compressed, although it was asked not to be"
            raise NodeFailed("InvalidOutput", said)


def _text(raw: bytes) -> str:
    """A header's value in the encoding that it most likely has."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _why(error: OSError) -> str:
    """Why no connection came about, without the address, which a workflow's author may not know."""
    match error:
        case TimeoutError():
            return "it took too long"
        case ssl.SSLCertVerificationError():
            return str(error)
        case ssl.SSLError():
            return error.strerror or type(error).__name__
        case _:
            # What asyncio says itself has the address in it.
            return os.strerror(error.errno) if error.errno else type(error).__name__
