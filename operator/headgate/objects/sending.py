"""Hands pieces that come in the event loop to a library that asks for them in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future

CHUNK_BYTES = 5 * 1024 * 1024
"""As much is sent in one request, and held: S3 takes no smaller parts but the last."""


class Broken(Exception):  # noqa: N818 - reads as what it says
    """The pieces did not come to their end; ``why`` is what they raised."""

    def __init__(self, why: BaseException) -> None:
        super().__init__(type(why).__name__)
        self.why = why


class Feed:
    """Pieces, one after the other. Made in the event loop, iterated in another thread, and by no more than one."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._loop = asyncio.get_running_loop()
        self._waited_for: Future[bytes | None] | None = None
        self._stopped = False
        self.broken: BaseException | None = None
        """What ended it before its end."""

    def stop(self) -> None:
        """Let nobody wait for a piece any more: what is being sent is given up."""
        self._stopped = True
        if self._waited_for is not None:
            self._waited_for.cancel()

    def __iter__(self) -> Iterator[bytes]:
        """The pieces. Blocks. Raises ``Broken``."""
        while (piece := self._next()) is not None:
            yield piece

    def _next(self) -> bytes | None:
        try:
            self._waited_for = asyncio.run_coroutine_threadsafe(self._come(), self._loop)
            if self._stopped:
                self._waited_for.cancel()
            return self._waited_for.result()
        except (Exception, CancelledError) as error:
            self.broken = error
            raise Broken(error) from None

    async def _come(self) -> bytes | None:
        return await anext(self._pieces, None)
