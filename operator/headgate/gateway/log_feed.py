"""Logs of attempts as they are sent: what is kept, or what will be."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from headgate.engine.engine import Engine
from headgate.engine.types import StepLog
from headgate.gateway.event_feed import CHECK_SECONDS, LOOK_CHECKS
from headgate.gateway.news import News
from headgate.gateway.problems import RETRY_SECONDS, Problem
from headgate.gateway.streams import Place
from headgate.objects.object_store import ObjectMissing, ObjectStore, StoreUnavailable
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

PIECE_BYTES = 1_048_576
"""Of a log at once: no more of it is held for anybody."""
PATIENCE_CHECKS = 120
"""After how many checks, of a second at most each, a log is given up that did not come when its attempt had ended."""
NOT_KEPT = "LogNotKept"


@dataclass(frozen=True)
class LogReader:
    """Reads logs that are kept."""

    objects: ObjectStore

    async def pieces(self, log: StepLog) -> AsyncGenerator[bytes]:
        """The whole log. Raises ``Problem`` before the first piece where it is not there, or cannot be had."""
        size = log.size or 0
        if log.path is None:
            if log.truncated:
                raise not_kept("maxStorageMB of the quota left no room for it")
            return
        try:
            for start in range(0, size, PIECE_BYTES):
                yield await self.objects.get(log.path, start, min(PIECE_BYTES, size - start))
        except ObjectMissing:
            raise not_kept("it is not in the object store any more") from None
        except StoreUnavailable:
            detail = "the object store cannot be used right now: try again"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": RETRY_SECONDS}) from None


@dataclass(frozen=True)
class LogFeed:
    """Waits for a log, and sends it then."""

    engine: Engine
    reader: LogReader
    workspace_id: UUID
    run_id: UUID
    step: str
    attempt: int | None
    news: News
    place: Place
    may_read: Callable[[], Awaitable[bool]]

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The log, once it is kept. Whatever it does not come to, a line says so: the answer has begun by then."""
        try:
            with self.news.of(self.workspace_id) as watch:
                late = quiet = 0
                while True:
                    if await watch.wait(CHECK_SECONDS) or quiet % LOOK_CHECKS == 0 or late:
                        found = await self.engine.logs.of(self.workspace_id, self.run_id, self.step, self.attempt)
                        if found is not None and found.size is not None:
                            async for piece in self.reader.pieces(found):
                                yield piece
                            return
                        late += await self._has_ended(found)
                    quiet += 1
                    if self.place.closing:
                        self.place.reason = "closing"
                        return
                    if not await self.may_read():
                        self.place.reason = "refused"
                        return
                    if late > PATIENCE_CHECKS:
                        raise not_kept("its attempt ended, and it did not come")
        except Problem as problem:
            yield f"headgate: {problem.detail}\n".encode()
        except (DatabaseUnavailable, DatabaseNotMigrated):
            self.place.reason = "failed"

    async def _has_ended(self, found: StepLog | None) -> bool:
        """Whether the attempt is over, or will never be."""
        if found is not None:
            return found.phase.is_final
        view = await self.engine.run_view(self.workspace_id, self.run_id)
        return view is None or view.phase.is_final


def not_kept(why: str) -> Problem:
    """What is answered where there is no log, and none to come."""
    return Problem(HTTPStatus.NOT_FOUND, f"no log of this attempt is kept: {why}", reason=NOT_KEPT)
