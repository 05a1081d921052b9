"""Waking runners across processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from headgate.store.bell import Bell
from tests.support.databases import TestDatabase
from tests.support.waiting import eventually

LISTENING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'headgate-bell' AND state = 'idle' AND query LIKE 'LISTEN%'
"""


@asynccontextmanager
async def listening(fresh: TestDatabase, *bells: Bell) -> AsyncIterator[None]:
    running = [asyncio.create_task(bell.run()) for bell in bells]
    await until_listening(fresh, len(bells))
    yield
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def until_listening(fresh: TestDatabase, count: int) -> None:
    async with await psycopg.AsyncConnection.connect(fresh.superuser_url, autocommit=True) as connection:

        async def there() -> bool:
            row = await (await connection.execute(LISTENING)).fetchone()
            return row == (count,)

        await eventually(there, every=0.02)


async def test_others_hear_who_is_rung_for_and_who_rings_does_not(fresh: TestDatabase) -> None:
    here: list[str] = []
    there: list[str] = []
    bell, other = Bell(fresh.direct_url, here.append), Bell(fresh.direct_url, there.append)
    async with listening(fresh, bell, other):
        bell.ring(["acme", "umbra"])

        async def heard() -> bool:
            return sorted(there) == ["acme", "umbra"]

        await eventually(heard, every=0.01)
    assert here == []


async def test_a_connection_that_was_cut_is_made_anew(fresh: TestDatabase) -> None:
    heard: list[str] = []
    bell, other = (
        Bell(fresh.direct_url, heard.append, retry_seconds=0.05),
        Bell(fresh.direct_url, heard.append, retry_seconds=0.05),
    )
    async with listening(fresh, bell, other):
        with psycopg.connect(fresh.superuser_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headgate-bell'"
            )
        await until_listening(fresh, 2)

        async def rung() -> bool:
            bell.ring(["acme"])
            return "acme" in heard

        await eventually(rung, every=0.05)
