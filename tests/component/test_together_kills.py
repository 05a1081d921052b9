"""Kills while several share a transaction: all of it is there, or nothing, and who asks again finds what is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from headgate.api.workflow_run import RunPhase
from headgate.engine.engine import Engine
from headgate.engine.types import Admitted, Outcome
from headgate.store.database import Database, Transaction
from tests.component.replica import Killed
from tests.component.world import World, one_node

MANY = 8
DONE = Outcome(succeeded=True)


@pytest.fixture
async def warm(world: World) -> World:
    """A world with a workflow whose definition was read."""
    await world.given_workspace(max_concurrent_runs=1_000)
    await world.given(one_node())
    await world.admit()
    return world


class CutShort(Database):
    """The process ends right before, or after, the first transaction that is shared is committed."""

    def __init__(self, url: str, *, after: bool) -> None:
        super().__init__(url, pool_size=4)
        self._after = after

    @asynccontextmanager
    async def shared(
        self, workspace_id: UUID, locks: Sequence[UUID]
    ) -> AsyncIterator[tuple[Transaction, frozenset[UUID]]]:
        async with super().shared(workspace_id, locks) as begun:
            yield begun
            if not self._after:
                raise Killed
        raise Killed


async def cut(world: World, asked: Callable[[Engine], list[Awaitable[object]]], *, after: bool) -> None:
    """Have a process that is killed do at once what is asked of it."""
    database = CutShort(world.url, after=after)
    try:
        engine = Engine(database, world.expressions, clock=world.clock)
        found = await asyncio.gather(*asked(engine), return_exceptions=True)
    finally:
        await database.close()
    assert [isinstance(answer, Killed) for answer in found] == [False] + [True] * (MANY - 1)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
class TestKills:
    async def test_of_starts(self, warm: World, after: bool) -> None:
        requests = [warm.request() for _ in range(MANY)]

        await cut(warm, lambda engine: [engine.admit(request) for request in requests], after=after)

        kept = {row["trigger_key"] for row in await warm.rows("SELECT trigger_key FROM headgate.workflow_executions")}
        there = [request.key in kept for request in requests]
        assert there == [True] + [after] * (MANY - 1)
        again = [answer for answer, _ in await asyncio.gather(*map(warm.engine.admit, requests))]
        assert [answer.duplicate for answer in again if isinstance(answer, Admitted)] == there
        assert len(await warm.rows("SELECT FROM headgate.workflow_executions")) == 1 + MANY
        assert (await warm.usage())["running"] == 1 + MANY

    async def test_of_ends(self, warm: World, after: bool) -> None:
        found = [await warm.admit() for _ in range(MANY)]

        await cut(warm, lambda engine: [engine.complete(warm.ref(run, "work"), DONE) for run in found], after=after)

        over = [await warm.phase(run) is RunPhase.SUCCEEDED for run in found]
        assert over == [True] + [after] * (MANY - 1)
        await asyncio.gather(*map(warm.succeed, found))
        assert {await warm.phase(run) for run in found} == {RunPhase.SUCCEEDED}
        assert (await warm.usage())["running"] == 1
