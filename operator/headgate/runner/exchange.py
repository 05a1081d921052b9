"""A request and its answer, on a connection that is theirs alone."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from headgate.runner.answer import Answer
from headgate.runner.errors import NodeFailed

CONNECT_SECONDS = 10.0
"""How long an address may take until it can be asked, what TLS takes included."""
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"[!-~]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")


@dataclass(frozen=True)
class Tls:
    """How a connection is encrypted."""

    context: ssl.SSLContext
    name: str
    """Whom the certificate has to be of."""


class NotConnectedError(Exception):
    """No connection came about, and nothing was sent. Its text says why, and names no address."""


def encoded(method: str, target: bytes, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The request as it is sent: one, whatever is in its parts. Raises ``NodeFailed``."""
    try:
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    except UnicodeError:
        raise NodeFailed("InvalidRequest", "a header holds characters that no header can") from None
    if not all(_TOKEN.fullmatch(name) and _VALUE.fullmatch(value) for name, value in fields):
        raise NodeFailed("InvalidRequest", "a header holds characters that no header can")
    if not (_TOKEN.fullmatch(method.encode()) and _TARGET.fullmatch(target)):
        raise NodeFailed("InvalidRequest", "the method or the url holds characters that none can")
    if body is not None or method not in _WITHOUT_BODY:
        fields.append((b"Content-Length", b"%d" % len(body or b"")))
    fields.append((b"Connection", b"close"))
    lines = [b"%s: %s\r\n" % field for field in fields]
    return b"".join([b"%s %s HTTP/1.1\r\n" % (method.encode(), target), *lines, b"\r\n", body or b""])


async def exchange(request: bytes, address: str, port: int, tls: Tls | None, answer: Answer) -> None:
    """Send the request to an address that was checked, which is no name, and return when ``answer`` has ended.

    Raises ``NotConnectedError``, and what ``answer`` does. Nothing is left of the connection in any case.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, _ = await loop.create_connection(
                lambda: answer,
                address,
                port,
                ssl=tls.context if tls is not None else None,
                server_hostname=tls.name if tls is not None else None,
            )
    except OSError as error:
        raise NotConnectedError(_why(error)) from None
    except ValueError:
        raise NotConnectedError("it is no name of a host") from None
    try:
        # All of it, in memory as it is: a server may answer before it has read it.
        transport.write(request)
        await answer.ended()
    finally:
        transport.abort()


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
