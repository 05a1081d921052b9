from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from headgate.engine.engine import Engine
from headgate.reconcile.database import DOWN_SECONDS, UP_SECONDS, DatabaseMonitor
from headgate.reconcile.keys import Key, Topic
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable
from tests.unit.cluster.virtual_time import in_virtual_time

ACME, OTHER = Key(Topic.WORKSPACE, "acme"), Key(Topic.WORKSPACE, "other")
AWAY = DatabaseUnavailable("Postgres is not available")


class Postgres:
    """Answers, or fails as it is told to."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.questions = 0

    async def ping(self) -> None:
        self.questions += 1
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.failure is not None:
            raise self.failure


class Watched:
    """A monitor with what it told."""

    def __init__(self) -> None:
        self.postgres, self.registry = Postgres(), CollectorRegistry()
        self.changes: list[bool] = []
        self.enqueued: list[Key] = []
        self.monitor = DatabaseMonitor(
            cast(Engine, self.postgres), self.registry, changed=self.changes.append, enqueue=self.enqueued.append
        )

    @property
    def gauge(self) -> float | None:
        return self.registry.get_sample_value("headgate_database_up")


async def test_changes_are_told_and_the_first_answer_is_none() -> None:
    watched = Watched()
    await watched.monitor.once()
    assert (watched.changes, watched.gauge) == ([], 1)

    for failure, told in ((AWAY, [False]), (AWAY, [False]), (None, [False, True]), (None, [False, True])):
        watched.postgres.failure = failure
        await watched.monitor.once()
        assert watched.changes == told
        assert watched.gauge == (failure is None)


@pytest.mark.parametrize("failure", [AWAY, DatabaseNotMigrated("run it"), RuntimeError("no right to look")])
async def test_whatever_keeps_postgres_from_being_used_is_waited_out(failure: Exception) -> None:
    watched = Watched()
    watched.postgres.failure = failure

    assert not await watched.monitor.once()

    watched.postgres.failure = None
    assert await watched.monitor.once()
    assert watched.changes == [True]


async def test_who_is_parked_is_woken_once_when_postgres_answers() -> None:
    watched = Watched()
    watched.postgres.failure = AWAY
    watched.monitor.park(ACME)
    watched.monitor.park(ACME)
    await watched.monitor.once()
    watched.monitor.park(OTHER)
    assert watched.enqueued == []

    watched.postgres.failure = None
    await watched.monitor.once()
    await watched.monitor.once()

    assert sorted(key.name for key in watched.enqueued) == ["acme", "other"]


async def test_an_outage_between_two_questions_wakes_whom_it_hit() -> None:
    watched = Watched()
    await watched.monitor.once()

    watched.monitor.park(ACME)
    await watched.monitor.once()

    assert watched.enqueued == [ACME]
    assert watched.changes == []


async def test_who_is_parked_during_a_question_waits_for_the_next_answer() -> None:
    watched = Watched()

    async def fail_meanwhile() -> None:
        watched.monitor.park(ACME)

    watched.postgres.meanwhile = fail_meanwhile
    await watched.monitor.once()
    assert watched.enqueued == []

    watched.postgres.meanwhile = None
    await watched.monitor.once()
    assert watched.enqueued == [ACME]


@in_virtual_time
async def test_it_asks_more_often_while_postgres_is_away() -> None:
    watched = Watched()
    asking = asyncio.create_task(watched.monitor.run())
    await asyncio.sleep(UP_SECONDS * 10 + 0.1)
    assert watched.postgres.questions == 11

    watched.postgres.failure = AWAY
    await asyncio.sleep(UP_SECONDS)
    assert watched.changes == [False]
    before = watched.postgres.questions
    await asyncio.sleep(DOWN_SECONDS * 10)
    assert watched.postgres.questions == before + 10

    await _cancelled(asking)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
