"""Logs of attempts as they are sent: what is kept, what is written right now, or what will be."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from headgate.api.workflow_run import NodePhase
from headgate.engine.engine import Engine
from headgate.engine.types import StepLog
from headgate.gateway.event_feed import CHECK_SECONDS, LOOK_CHECKS
from headgate.gateway.live_logs import LiveLog, LiveLogs
from headgate.gateway.news import News, Watch
from headgate.gateway.problems import Problem
from headgate.gateway.stored import stored
from headgate.gateway.streams import Place
from headgate.objects.object_store import ObjectStore
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

PIECE_BYTES = 1_048_576
"""Of a log at once: no more of it is held for anybody."""
PATIENCE_CHECKS = 120
"""After how many checks, of a second at most each, a log is given up that did not come when its attempt had ended."""
NOT_KEPT = "LogNotKept"
FROM_THE_BEGINNING = b"headgate: what the container wrote could not be read to its end; what is kept of it follows\n"
ANEW = b"headgate: a runner was lost, and another one began the attempt anew\n"


@dataclass(frozen=True)
class LogReader:
    """Reads logs that are kept."""

    objects: ObjectStore | None
    """None where they cannot be reached from here."""

    async def pieces(self, log: StepLog, start: int = 0) -> AsyncGenerator[bytes]:
        """The log from that byte on. Raises ``Problem`` before the first piece where it cannot be had."""
        size = log.size or 0
        if log.path is None:
            if log.truncated:
                raise not_kept("maxStorageMB of the quota left no room for it")
            return
        if start >= size:
            # Who has all of it need not know where it lies.
            return
        if self.objects is None:
            raise elsewhere()
        missing = not_kept("it is not in the object store any more")
        async for piece in stored(
            self.objects, log.path, start=start, size=size, piece_bytes=PIECE_BYTES, missing=missing
        ):
            yield piece


@dataclass(frozen=True)
class LogFeed:
    """Sends what an attempt writes while it runs, and what is kept of it where that was not all."""

    engine: Engine
    reader: LogReader
    workspace_id: UUID
    run_id: UUID
    step: str
    attempt: int | None
    news: News
    place: Place
    may_read: Callable[[], Awaitable[bool]]
    live: LiveLogs | None = None
    """None where no running attempt can be read: its log is waited for then."""

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The log. Whatever it does not come to, a line says so: the answer has begun by then."""
        following = _Following(self)
        try:
            # Who finds all there is needs no news.
            async for piece in following.looked():
                yield piece
            if following.over:
                return
            with self.news.of(self.workspace_id) as watch:
                while True:
                    async for piece in following.looked():
                        yield piece
                    if following.over:
                        return
                    if (why := await self._ends()) is not None:
                        yield why
                        return
                    if piece := await following.waited(watch):
                        yield piece
        except Problem as problem:
            yield f"headgate: {problem.detail}\n".encode()
        except (DatabaseUnavailable, DatabaseNotMigrated):
            self.place.reason = "failed"
            yield b"headgate: the database cannot be used right now: follow the log again\n"
        finally:
            await following.close()

    async def _ends(self) -> bytes | None:
        """What there is to say where it ends before the log does; None where it goes on."""
        if self.place.closing:
            self.place.reason = "closing"
            return b"headgate: this replica of the gateway ends: follow the log again\n"
        if not await self.may_read():
            self.place.reason = "refused"
            return b"headgate: the log may not be read any more, or nobody can tell right now\n"
        return None


class _Following:
    """How far somebody has come who follows a log."""

    def __init__(self, feed: LogFeed) -> None:
        self._feed = feed
        self._live: LiveLog | None = None
        self._due = True
        """Whether it is to be looked what became of the attempt."""
        self._quiet = 0
        """Checks since there was something to send."""
        self._late = 0
        """Looks since the attempt has ended without its log being kept."""
        self._last = False
        """Whether the attempt had ended when its pod was read last: what is read then is all there is."""
        self._given = 0
        """What had been sent of the attempt's pod then."""
        self.over = False

    async def close(self) -> None:
        """Follow no more."""
        if self._live is not None:
            await self._live.close()

    async def waited(self, watch: Watch) -> bytes:
        """Wait a moment for what comes next, and return it."""
        piece, live = b"", self._live
        reading = live is not None and live.is_open
        if live is not None and reading:
            piece = await live.next(CHECK_SECONDS)
            reading = live.is_open
        self._quiet = 0 if piece else self._quiet + 1
        self._due = not piece and (not reading or bool(self._late) or self._quiet % LOOK_CHECKS == 0)
        if live is not None and not reading and (self._last or live.given > self._given):
            # It came to its end, or broke off: what became of the attempt is known in a moment.
            return piece
        if not reading:
            woken = await watch.wait(CHECK_SECONDS)
            waiting = live is not None and self._quiet < LOOK_CHECKS
            self._due = woken or waiting or bool(self._late) or self._quiet % LOOK_CHECKS == 0
        return piece

    async def looked(self) -> AsyncGenerator[bytes]:
        """See what became of the attempt, where that is due: what there is to send of it because of that."""
        if not self._due:
            return
        feed, live = self._feed, self._live
        attempt = feed.attempt if live is None else live.attempt
        found = await feed.engine.logs.of(feed.workspace_id, feed.run_id, feed.step, attempt)
        ended = await self._has_ended(found)
        reading = live is not None and live.is_open
        if live is not None and not reading and live.has_ended and (live.is_framed or self._last):
            self.over = True
        elif found is not None and found.size is not None and (not reading or self._late):
            # A reading that goes on gets a moment to come to its end: then nothing has to be put together.
            self.over = True
            async for piece in self._kept(found):
                yield piece
        else:
            self._late += ended
            if self._late > PATIENCE_CHECKS:
                raise not_kept("its attempt ended, and it did not come")
            if found is not None and await self._attached(found, ended=ended):
                yield ANEW

    async def _attached(self, found: StepLog, *, ended: bool) -> bool:
        """Read the attempt's pod, where that can be done and is not done yet. Whether it is another one than before."""
        if self._live is None and self._feed.live is not None and found.phase is NodePhase.RUNNING:
            self._live = self._feed.live.of(found)
        live = self._live
        if live is None or live.is_open or not live.may_come or self._late > LOOK_CHECKS:
            return False
        moves = live.moves
        self._last, self._given = ended, live.given
        await live.attach()
        return live.moves > moves

    async def _kept(self, found: StepLog) -> AsyncGenerator[bytes]:
        """What is kept of the log and was not sent yet."""
        live, start = self._live, 0
        if live is not None and live.given:
            await live.close()
            if not found.truncated and not live.moves and (found.size or 0) >= live.given:
                start = live.given
            else:
                yield FROM_THE_BEGINNING
        async for piece in self._feed.reader.pieces(found, start):
            yield piece

    async def _has_ended(self, found: StepLog | None) -> bool:
        """Whether the attempt is over, or will never be."""
        if found is not None:
            return found.phase.is_final
        view = await self._feed.engine.run_view(self._feed.workspace_id, self._feed.run_id)
        return view is None or view.phase.is_final


def not_kept(why: str) -> Problem:
    """What is answered where there is no log, and none to come."""
    return Problem(HTTPStatus.NOT_FOUND, f"no log of this attempt is kept: {why}", reason=NOT_KEPT)


def elsewhere() -> Problem:
    """What is answered where logs that are kept cannot be had here."""
    detail = "the gateway has no access to logs: they lie in a folder of the operator; use headgate node-logs"
    return Problem(HTTPStatus.CONFLICT, detail, reason="LogsElsewhere")
