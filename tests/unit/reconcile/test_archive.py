"""The daily round, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from prometheus_client import CollectorRegistry

from headgate.engine.archive.archiver import Round
from headgate.objects.object_store import StoreUnavailable
from headgate.reconcile.archive import ArchiveKeeper

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
AT_TWO = NOON.replace(hour=2).timestamp()


class Rounds:
    """An archiver that answers what it is told to."""

    def __init__(self, answer: Callable[[], Awaitable[Round | None]]) -> None:
        self._answer = answer
        self.asked = asyncio.Event()

    async def run_due(self, now: datetime) -> Round | None:
        assert now == NOON
        self.asked.set()
        return await self._answer()


async def told(answer: Callable[[], Awaitable[Round | None]]) -> Callable[[str], float | None]:
    """The metrics after one look at the clock."""
    registry, rounds = CollectorRegistry(), Rounds(answer)
    keeper = asyncio.create_task(ArchiveKeeper(rounds, registry, wall=lambda: NOON).run())  # type: ignore[arg-type]
    await rounds.asked.wait()
    await asyncio.sleep(0)
    keeper.cancel()
    await asyncio.wait([keeper])
    return registry.get_sample_value


async def test_a_round_that_is_done_is_told() -> None:
    async def answer() -> Round:
        return Round(runs=7, entries=5, parts=2, months=1, held=3)

    value = await told(answer)
    assert value("headgate_archive_round_timestamp_seconds") == AT_TWO
    assert value("headgate_archived_runs_total") == 7
    assert value("headgate_archived_audit_entries_total") == 5
    assert value("headgate_archived_months_total") == 1
    assert value("headgate_archive_held_workspaces") == 3
    assert value("headgate_archive_failing_workspaces") == 0


async def test_a_round_that_was_done_counts_as_done() -> None:
    async def answer() -> None:
        return None

    value = await told(answer)
    assert value("headgate_archive_round_timestamp_seconds") == AT_TWO


async def test_workspaces_that_fail_are_told_and_the_round_is_not_done() -> None:
    async def answer() -> Round:
        return Round(runs=1, failed={UUID(int=1): "damaged"})

    value = await told(answer)
    assert value("headgate_archive_failing_workspaces") == 1
    assert value("headgate_archive_round_timestamp_seconds") == 0


async def test_a_store_that_is_away_leaves_the_round_undone() -> None:
    async def answer() -> Round:
        raise StoreUnavailable("away")

    value = await told(answer)
    assert value("headgate_archive_round_timestamp_seconds") == 0


async def test_without_an_archive_nothing_is_done() -> None:
    registry = CollectorRegistry()
    keeper = asyncio.create_task(ArchiveKeeper(None, registry, wall=lambda: NOON).run())
    await asyncio.sleep(0)
    assert not keeper.done()
    keeper.cancel()
    await asyncio.wait([keeper])
    assert registry.get_sample_value("headgate_archive_round_timestamp_seconds") == 0
