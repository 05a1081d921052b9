"""Changes of runs as Server-Sent Events, from where a reader stopped for as long as they may read them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.engine.reading.run_changes import Changes, RunChange, RunChanges
from headgate.gateway.models.base import ApiModel
from headgate.gateway.models.events import EndEvent, LostEvent, RunEvent, event_of
from headgate.gateway.news import News
from headgate.gateway.streams import Place
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

MEDIA_TYPE = "text/event-stream"
CHECK_SECONDS = 1.0
"""How often it is asked at least whether the reader still may read, however little happens."""
HEARTBEAT_CHECKS = 15
"""After how many of them without anything to say a comment is sent, which keeps connections open."""
LOOK_CHECKS = 5
"""After how many of them it is looked for news without having been woken."""
_RETRY = b"retry: 2000\n\n"
_HEARTBEAT = b": still here\n\n"
_LOST = "changes are kept for a day, and those before were not: read the runs anew"


@dataclass(frozen=True)
class Feed:
    """What somebody follows: all runs of a workspace, or one of them."""

    changes: RunChanges
    workspace_id: UUID
    run_id: UUID | None
    news: News
    place: Place
    may_read: Callable[[], Awaitable[bool]]
    """Whether the reader still may read it."""
    ended: bool
    """Whether the run was over before the first changes were read."""

    async def events(self, first: Changes) -> AsyncGenerator[bytes]:
        """The events from ``first`` on. They end with the run, with the reader's access, or with the process."""
        yield _RETRY
        # So that whoever reconnects goes on from here, though nothing may happen until then.
        yield _event("open", None, identity=str(first.position) if not first.items else None)
        found, over, quiet = first, self.ended, 0
        with self.news.of(self.workspace_id) as watch:
            while True:
                if found.lost:
                    yield _event("lost", LostEvent(detail=_LOST))
                for change in found.items:
                    over = _is_over(change, before=over) and self.run_id is not None
                    yield _of(change)
                if over and self._has_told_all(found, first):
                    yield _event("end", EndEvent(reason="RunEnded"))
                    return
                woken = found.more or await watch.wait(CHECK_SECONDS)
                quiet = 0 if found.items else quiet + 1
                if not found.more and self.place.closing:
                    self.place.reason = "closing"
                    return
                if not await self.may_read():
                    self.place.reason = "refused"
                    yield _event("end", EndEvent(reason="AccessEnded"))
                    return
                if quiet % HEARTBEAT_CHECKS == HEARTBEAT_CHECKS - 1:
                    yield _HEARTBEAT
                found = replace(found, items=(), more=False, lost=False)
                if woken or over or quiet % LOOK_CHECKS == 0:
                    try:
                        found = await self.changes.since(self.workspace_id, found.position, self.run_id)
                    except (DatabaseUnavailable, DatabaseNotMigrated):
                        # Whoever comes again is told so, and goes on here when it is back.
                        self.place.reason = "failed"
                        return

    def _has_told_all(self, found: Changes, first: Changes) -> bool:
        """Whether a run that is over has nothing more to tell.

        Where it was over from the beginning, all that had begun before has to have ended: its end may be among it.
        """
        if self.run_id is None or found.more:
            return False
        ends = any(_is_over(change, before=False) for change in found.items)
        return ends or found.settled >= first.unused

    def is_over(self, first: Changes) -> bool:
        """Whether there is nothing to tell, and never will be."""
        return self.run_id is not None and self.ended and not first.items and first.settled >= first.unused


def _is_over(change: RunChange, *, before: bool) -> bool:
    return RunPhase(change.phase).is_final if change.node is None else before


def _of(change: RunChange) -> bytes:
    told = event_of(change)
    return _event("run" if isinstance(told, RunEvent) else "step", told, identity=str(change.position))


def _event(name: str, data: ApiModel | None, *, identity: str | None = None) -> bytes:
    return "".join(f"{line}\n" for line in _lines(name, data, identity)).encode() + b"\n"


def _lines(name: str, data: ApiModel | None, identity: str | None) -> Iterator[str]:
    if identity is not None:
        yield f"id: {identity}"
    yield f"event: {name}"
    # JSON has no line breaks but those that it escapes.
    yield f"data: {data.model_dump_json(by_alias=True) if data is not None else '{}'}"
