"""What lies in the object store, as it is sent: piece by piece, and with an answer that fits where it cannot be had."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus

from headgate.gateway.problems import RETRY_SECONDS, Problem
from headgate.gateway.streams import Place, Stream
from headgate.objects.object_store import ObjectMissing, ObjectStore, StoreUnavailable

PLAIN = {"X-Content-Type-Options": "nosniff"}
"""Whatever a tenant wrote is what it is said to be, and nothing that a browser makes of it."""


async def stored(
    objects: ObjectStore, path: str, *, start: int, size: int, piece_bytes: int, missing: Problem
) -> AsyncGenerator[bytes]:
    """An object of that size from a byte on. Raises ``missing`` where it is not there, or a ``Problem`` with 503."""
    try:
        for at in range(start, size, piece_bytes):
            yield await objects.get(path, at, min(piece_bytes, size - at))
    except ObjectMissing:
        raise missing from None
    except StoreUnavailable:
        raise away() from None


def away() -> Problem:
    """What is answered where the object store does not answer."""
    detail = "the object store cannot be used right now: try again"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": RETRY_SECONDS})


async def begun(pieces: AsyncGenerator[bytes], place: Place, *, media_type: str, headers: Mapping[str, str]) -> Stream:
    """An answer whose first piece is there: what the pieces raise before it is answered instead."""
    try:
        first = await anext(pieces, b"")
    except BaseException:
        place.reason = "failed"
        place.leave()
        raise
    return Stream(_all(first, pieces), place, media_type=media_type, headers=headers)


async def _all(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for piece in rest:
        yield piece
