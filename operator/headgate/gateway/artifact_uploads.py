"""Takes files that attempts leave: each is looked at before any of it is read, and read no faster than it is stored."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from headgate.domain.artifacts import ELSEWHERE, TOO_LARGE, sending_seconds
from headgate.domain.runner_protocol import ANNOUNCE_PATH, ARTIFACT_FIELD, ARTIFACT_PATH, Announcement, Sent
from headgate.domain.storage import LIMIT
from headgate.domain.task import TaskRef
from headgate.engine.steps.left_files import Late, LeftFiles, SentFile, Settled, elsewhere
from headgate.engine.types import LeaseLost
from headgate.gateway.authentication import Authenticator, Runner, check_runner
from headgate.gateway.messages import MessageRoute, message_route, read_message
from headgate.gateway.problems import RETRY_SECONDS, Problem
from headgate.gateway.stored import away
from headgate.objects.object_store import SENDERS, ObjectStore, StoreUnavailable
from headgate.store.errors import DatabaseUnavailable

PIECE_BYTES = 1_048_576
"""Of a file at once, on its way."""
MOST_OF_WORKSPACE = SENDERS // 2
"""Files of one workspace that come at the same time at most, so that there is room for another's."""
_log = structlog.get_logger("headgate.gateway")
_STATUS = {
    LIMIT: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ELSEWHERE: HTTPStatus.FORBIDDEN,
}


def artifact_routes(
    files: LeftFiles, authenticator: Authenticator, objects: ObjectStore | None, *, most_bytes: int
) -> list[Route]:
    """The routes. ``most_bytes`` is what a file has at most. Without ``objects`` none is taken."""
    uploads = _Uploads(files, authenticator, objects, most_bytes)
    return [
        message_route(ANNOUNCE_PATH, Announcement, authenticator, uploads.announce),
        MessageRoute(ARTIFACT_PATH, uploads.take, methods=["PUT"]),
    ]


class _Cut(Exception):  # noqa: N818 - a state of the request
    """The body is not what its length says."""


@dataclass
class _Uploads:
    files: LeftFiles
    authenticator: Authenticator
    objects: ObjectStore | None
    most_bytes: int
    coming: Counter[UUID] = field(default_factory=Counter)
    """Files that are on their way, by workspace."""

    async def announce(self, body: Announcement, caller: Runner, _: Request) -> None:
        """See whether the files that an attempt left will find room. Those that it left before are forgotten."""
        check_runner(caller, body.run_id)
        if self.objects is None and body.sizes:
            _agreed(elsewhere())
        for size in body.sizes:
            self._check_size(size)
        ref = TaskRef(caller.workspace_id, body.run_id, body.node, body.attempt)
        settled = await self.files.announce(ref, caller.holder, list(body.sizes))
        if self.objects is not None:
            await self._delete(self.objects, ref, settled.gone)
        _agreed(settled)

    async def take(self, request: Request) -> Response:
        """Put a file into the object store, and note it. Repeating it puts another one in its place."""
        caller = await self.authenticator.runner(request.headers.get("authorization", ""))
        sent = _said(request)
        check_runner(caller, sent.run_id)
        size = _length(request)
        self._check_size(size)
        if self.objects is None:
            raise _refused(elsewhere())
        ref = TaskRef(caller.workspace_id, sent.run_id, sent.node, sent.attempt)
        with self._place(caller.workspace_id):
            settled = await self._kept(self.objects, ref, caller.holder, sent.name, size, request)
        await self._delete(self.objects, ref, settled.gone)
        _agreed(settled)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _kept(
        self, objects: ObjectStore, ref: TaskRef, holder: str, name: str, size: int, request: Request
    ) -> Settled:
        expected = await self.files.expect(ref, holder, name, size)
        if expected.refused is not None:
            raise _refused(expected.refused)
        path, body = expected.path, _Body(request, size)
        try:
            await objects.put_pieces(path, body.pieces(), size)
            return await self.files.record(ref, holder, SentFile(name, path, size, body.sha256))
        except (TimeoutError, ClientDisconnect, _Cut, Late):
            await self._delete(objects, ref, [path])
            detail = f"a file of {size} bytes has to come whole, within {sending_seconds(size):.0f} seconds"
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, detail, _CLOSE) from None
        except StoreUnavailable:
            await self._delete(objects, ref, [path])
            raise away() from None
        except LeaseLost:
            await self._delete(objects, ref, [path])
            raise

    async def _delete(self, objects: ObjectStore, ref: TaskRef, paths: Iterable[str]) -> None:
        """Delete what is not to stay, whether it came to lie there or not. What this cannot do the operator does."""
        deleted, left = [], []
        for path in paths:
            try:
                await objects.delete(path)
                deleted.append(path)
            except StoreUnavailable as error:
                _log.warning("an artifact is left for the operator to delete", error=str(error))
                left.append(path)
        try:
            if deleted:
                await self.files.deleted(ref.workspace_id, deleted)
            if left:
                await self.files.leave(ref.workspace_id, left)
        except DatabaseUnavailable as error:
            _log.warning("an artifact is left for the operator to forget", error=str(error))

    def _check_size(self, size: int) -> None:
        if size > self.most_bytes:
            detail = f"an artifact takes {size} bytes, and may take {self.most_bytes} at most: write smaller ones"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, _CLOSE, reason=TOO_LARGE)

    @contextmanager
    def _place(self, workspace_id: UUID) -> Iterator[None]:
        """Room for one more file on its way. None waits: what waits with a body is a connection that does nothing."""
        if self.coming[workspace_id] >= MOST_OF_WORKSPACE or self.coming.total() >= SENDERS:
            detail = "as many artifacts are on their way as may be at once: try again"
            headers = {"Retry-After": RETRY_SECONDS, "Connection": "close"}
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers)
        self.coming[workspace_id] += 1
        try:
            yield
        finally:
            self.coming[workspace_id] -= 1
            if not self.coming[workspace_id]:
                del self.coming[workspace_id]


class _Body:
    """A body as it comes, held to its length and to a time, and summed up."""

    def __init__(self, request: Request, size: int) -> None:
        self._request = request
        self._size = size
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of what came."""
        return self._hash.hexdigest()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises ``TimeoutError``, ``ClientDisconnect`` and ``_Cut``."""
        until = asyncio.get_running_loop().time() + sending_seconds(self._size)
        seen, held = 0, bytearray()
        coming = self._request.stream().__aiter__()
        while True:
            async with asyncio.timeout_at(until):
                chunk = await anext(coming, None)
            if chunk is not None:
                seen += len(chunk)
                held += chunk
                if seen > self._size:
                    raise _Cut
            if held and (chunk is None or len(held) >= PIECE_BYTES):
                self._hash.update(held)
                yield bytes(held)
                held.clear()
            if chunk is None:
                break
        if seen != self._size:
            raise _Cut


def _said(request: Request) -> Sent:
    """What is said of the file, which is the body itself."""
    return read_message(Sent, request.headers.get(ARTIFACT_FIELD, "").encode("latin-1"))


def _length(request: Request) -> int:
    length = request.headers.get("content-length", "")
    # Few enough digits that nobody has to read a number without end.
    if not length.isdecimal() or len(length) > 18:  # noqa: PLR2004 - of the largest number of 64 bits
        raise Problem(HTTPStatus.LENGTH_REQUIRED, "say in Content-Length how many bytes the file has", _CLOSE)
    return int(length)


_CLOSE = {"Connection": "close"}


def _agreed(settled: Settled) -> None:
    if settled.reason:
        raise _refused(settled)


def _refused(settled: Settled) -> Problem:
    status = _STATUS.get(settled.reason, HTTPStatus.UNPROCESSABLE_ENTITY)
    return Problem(status, settled.message, _CLOSE, reason=settled.reason)
