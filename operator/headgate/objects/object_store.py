"""A folder, a bucket or memory, by one interface."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from headgate.dependencies import DependencyGuard, NotAsked, unguarded
from headgate.domain.dependency_breaker import DependencyName
from headgate.objects.folder_room import FolderRoom
from headgate.objects.sending import CHUNK_BYTES, Broken, Feed

T = TypeVar("T")

SCHEMES = ("file", "memory", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
THREADS = 4
"""Requests at the same time at most."""
SENDERS = 4
"""Objects that are written as their pieces come, at the same time at most: in threads that nobody else waits for."""
PAGE = 1000
"""Objects that are listed at once."""
_RETRIES = 2
_RETRY_TIMEOUT = timedelta(seconds=10)
_LATER = ("408", "429")
"""It answers so when it cannot keep up."""
_STATUS = re.compile(r"status code: (\d{3})")


class InvalidObjectStore(ValueError):  # noqa: N818 - reads as what it says
    """The URL is none that an object store can have. The message does not show it."""


class StoreUnavailable(Exception):  # noqa: N818 - reads as what it says
    """The object store refused, or did not answer: trying again later may help. The message holds no credentials."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        """``refused`` is whether it answered, and would not do this one thing."""
        super().__init__(message)
        self.refused = refused


class ObjectMissing(Exception):  # noqa: N818 - reads as what it says
    """There is no such object."""


@dataclass(frozen=True)
class StoredObject:
    """An object as a list shows it."""

    path: str
    size: int
    modified_at: datetime


class ObjectStore:
    """Objects by their paths, below what the URL names.

    Credentials come from where the cloud's own tools have them: environment variables such as ``AWS_ACCESS_KEY_ID``,
    files, or the identity of the machine. Nothing is connected to before the first request. All methods but ``check``
    raise ``StoreUnavailable``.

    obstore's blocking functions are called in threads of our own: its asynchronous ones let go of Python's objects in
    threads that Python does not know, and where that meets the end of the process it is aborted.
    """

    def __init__(self, url: str, *, folder_bytes: int = 0, guard: DependencyGuard | None = None) -> None:
        """A folder holds ``folder_bytes`` at most, unless that is 0: the oldest objects make room for new ones.

        Without a ``guard`` the store is always asked. Raises ``InvalidObjectStore``.
        """
        self.scheme = check(url)
        self._url = url
        self._room = FolderRoom(folder_bytes) if self.scheme == "file" and folder_bytes else None
        self._opening = threading.Lock()
        self._opened: Any = None
        self._guard = guard or unguarded(DependencyName.OBJECT_STORE)
        self._places = asyncio.Semaphore(THREADS)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="objects-sent")

    def close(self) -> None:
        """Take no further request; those under way are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._senders.shutdown(wait=False, cancel_futures=True)

    async def put(self, path: str, content: bytes | Iterable[bytes]) -> None:
        """Write an object in place of the one that may be there: all of it, or nothing.

        What is larger than 5 MB, or comes as an iterable, is sent in parts.
        """

        def put(store: Any) -> None:
            import obstore

            if self._room is None:
                obstore.put(store, path, content)
                return
            whole = content if isinstance(content, bytes) else b"".join(content)
            self._room.make(store, len(whole))
            obstore.put(store, path, whole)

        await self._do(put)

    async def put_pieces(self, path: str, pieces: AsyncIterator[bytes], size: int) -> None:
        """Write an object of ``size`` bytes as its pieces come, of which about twice 5 MB are held at once.

        All of it or nothing: where ``pieces`` raises, or this is cancelled, there is no object. Raises what they raise.
        """
        feed = Feed(pieces)

        def put(store: Any) -> None:
            import obstore

            if self._room is not None:
                self._room.make(store, size)
            obstore.put(store, path, feed, use_multipart=True, chunk_size=CHUNK_BYTES, max_concurrency=1)

        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(self._senders, partial(self._blocking, put, of_object=False))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            feed.stop()
            # What was begun is taken back before anybody goes on.
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.exception()
            raise
        except Exception:
            if feed.broken is not None:
                raise feed.broken from None
            raise

    async def get(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """The object, or up to ``length`` bytes of it from ``start`` on. Raises ``ObjectMissing``."""

        def get(store: Any) -> bytes:
            import obstore

            if not start and length is None:
                return bytes(obstore.get(store, path).bytes())
            size = obstore.head(store, path)["size"]
            end = size if length is None else min(size, start + length)
            return bytes(obstore.get_range(store, path, start=start, end=end)) if start < end else b""

        return await self._do(get, of_object=True)

    async def delete(self, path: str) -> None:
        """Delete an object. Nothing happens where there is none."""

        def delete(store: Any) -> None:
            import obstore

            obstore.delete(store, path)

        try:
            await self._do(delete, of_object=True)
        except ObjectMissing:
            return

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        """The objects below a path, in no order."""

        def begin(store: Any) -> Any:
            import obstore

            return iter(obstore.list(store, prefix, chunk_size=PAGE))

        pages = await self._do(begin)
        while page := await self._do(lambda _: next(pages, None)):
            for item in page:
                yield StoredObject(item["path"], item["size"], item["last_modified"])

    async def _do(self, request: Callable[[Any], T], *, of_object: bool = False) -> T:
        """Carry out a request; one of an object that must be there raises ``ObjectMissing`` where it is not."""
        try:
            async with self._guard.asking_among(self._places, _unanswered):
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._blocking, request, of_object
                )
        except NotAsked as error:
            raise StoreUnavailable(str(error)) from error

    def _blocking(self, request: Callable[[Any], T], of_object: bool) -> T:  # noqa: FBT001 - private
        from obstore.exceptions import BaseError

        try:
            return request(self._store())
        except FileNotFoundError:
            if not of_object:
                raise StoreUnavailable("the object store cannot be used: there is no such folder or bucket") from None
            raise ObjectMissing("there is no such object") from None
        except Broken:
            raise
        except (BaseError, OSError, ValueError) as error:
            raise StoreUnavailable(self._told(error), refused=_refused(error)) from None

    def _store(self) -> Any:
        from obstore.store import from_url

        with self._opening:
            if self._opened is None:
                match self.scheme:
                    case "file":
                        self._opened = from_url(self._url, mkdir=True, automatic_cleanup=True)
                    case "memory":
                        self._opened = from_url(self._url)
                    case _:
                        retries: Any = {"max_retries": _RETRIES, "retry_timeout": _RETRY_TIMEOUT}
                        self._opened = from_url(self._url, retry_config=retries)
            return self._opened

    def _told(self, error: Exception) -> str:
        """What went wrong. A cloud's own words may hold a signed URL; those of a folder hold its path."""
        words = str(error)
        if self.scheme == "file":
            return f"the object store's folder cannot be used: {words.split(chr(10), 1)[0][:256]}"
        status = _STATUS.search(words)
        return f"the object store cannot be used: {type(error).__name__}{f' {status[1]}' if status else ''}"


def _refused(error: Exception) -> bool:
    """Whether it is this request that the store does not want, and not the store that does not work."""
    from obstore.exceptions import InvalidPathError

    if isinstance(error, (ValueError, InvalidPathError)):
        return True
    status = _STATUS.search(str(error))
    return status is not None and status[1].startswith("4") and status[1] not in _LATER


def _unanswered(error: Exception) -> str | None:
    return str(error) if isinstance(error, StoreUnavailable) and not error.refused else None


def check(url: str) -> str:
    """The scheme of an object store's URL. Raises ``InvalidObjectStore``, and does not show it."""
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or bool(parts.query) or bool(parts.fragment)
    except ValueError:
        raise InvalidObjectStore("the object store's URL cannot be read") from None
    if parts.scheme not in SCHEMES:
        raise InvalidObjectStore(f"the object store's URL must begin with one of {', '.join(SCHEMES)}, and ://")
    if secret:
        raise InvalidObjectStore(
            "the object store's URL must hold neither credentials nor parameters: they belong into the environment"
        )
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        raise InvalidObjectStore("the object store's folder must be an absolute path: file:///path")
    if parts.scheme not in ("file", "memory") and not parts.netloc:
        raise InvalidObjectStore("the object store's URL must name a bucket")
    return parts.scheme
