"""The daily round of the archive: what is old moves to the object store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from headgate.domain.archive import last_round
from headgate.engine.archive.archiver import Archiver, Round
from headgate.objects.object_store import StoreUnavailable
from headgate.reconcile.loops import forever

ROUND_SECONDS = 600.0
"""Between looks whether a round is due, and before one is tried again."""
_log = structlog.get_logger("headgate.archive")


class ArchiveKeeper:
    """Has a round done every day, and those made up for that were missed."""

    def __init__(self, archiver: Archiver | None, registry: CollectorRegistry, *, wall: Callable[[], datetime]) -> None:
        """``archiver`` is None where there is no archive: then nothing is done."""
        self._archiver = archiver
        self._wall = wall
        self._done = Gauge(
            "headgate_archive_round_timestamp_seconds",
            "When the archive's daily round was due that was done last; 0 without an archive.",
            registry=registry,
        )
        self._failing = Gauge(
            "headgate_archive_failing_workspaces",
            "Workspaces with which something was wrong in the last round of the archive.",
            registry=registry,
        )
        self._held = Gauge(
            "headgate_archive_held_workspaces",
            "Workspaces under legal hold, of which nothing is moved or deleted, in the last round.",
            registry=registry,
        )
        self._runs = Counter("headgate_archived_runs", "Runs that were moved to the archive.", registry=registry)
        self._entries = Counter(
            "headgate_archived_audit_entries",
            "Entries of audit logs that were moved to the archive.",
            registry=registry,
        )
        self._months = Counter(
            "headgate_archived_months", "Months whose tables were dropped, all of them archived.", registry=registry
        )

    async def run(self) -> None:
        """Keep the archive for ever."""
        if self._archiver is None:
            await asyncio.Event().wait()
        await forever("archive", self._round, net_seconds=ROUND_SECONDS)

    async def _round(self) -> datetime | None:
        if self._archiver is None:
            return None
        now = self._wall()
        try:
            done = await self._archiver.run_due(now)
        except StoreUnavailable as error:
            _log.warning("the archive cannot be reached, and will be tried again", error=str(error))
            return None
        if done is not None:
            self._tell(done)
        if done is None or not done.failed:
            self._done.set(last_round(now).timestamp())
        return None

    def _tell(self, done: Round) -> None:
        self._runs.inc(done.runs)
        self._entries.inc(done.entries)
        self._months.inc(done.months)
        self._held.set(done.held)
        self._failing.set(len(done.failed))
        _log.info(
            "the archive's round is done",
            runs=done.runs,
            entries=done.entries,
            parts=done.parts,
            months=done.months,
            expired=done.expired,
            held=done.held,
            failed=len(done.failed),
        )
