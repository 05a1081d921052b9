"""Partitions are made ahead of time, by programs that own nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from tests.component.world import World
from tests.support.databases import TestDatabase

REFERENCE = datetime(2040, 11, 30, 23, 30, tzinfo=UTC)


async def partitions(world: World, year: int) -> list[str]:
    rows = await world.rows(
        "SELECT relname, pg_get_expr(relpartbound, oid) AS bounds FROM pg_class WHERE relispartition"
        " AND relkind = 'r' AND relname LIKE %s ORDER BY relname",
        f"workflow_executions_{year}%",
    )
    return [f"{row['relname'].removeprefix('workflow_executions_')} {row['bounds']}" for row in rows]


async def test_this_month_and_the_next_three_have_partitions(world: World) -> None:
    assert await world.engine.ensure_partitions(REFERENCE) == 24
    assert await partitions(world, 2040) == [
        "2040_11 FOR VALUES FROM ('2040-11-01 00:00:00+00') TO ('2040-12-01 00:00:00+00')",
        "2040_12 FOR VALUES FROM ('2040-12-01 00:00:00+00') TO ('2041-01-01 00:00:00+00')",
    ]
    assert len(await partitions(world, 2041)) == 2
    assert await world.engine.ensure_partitions(REFERENCE) == 0


async def test_many_replicas_may_make_them_at_once(world: World) -> None:
    year = REFERENCE.replace(year=2050)
    made = await asyncio.gather(*(world.engine.ensure_partitions(year) for _ in range(6)))
    assert sum(made) == 24


async def test_a_partition_has_the_indexes_of_its_parent(world: World) -> None:
    rows = await world.rows(
        "SELECT c.relname, count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " WHERE c.relname IN ('workflow_executions', 'workflow_executions_2026_03') GROUP BY 1 ORDER BY 1"
    )
    assert [row["count"] for row in rows] == [9, 9]


@pytest.mark.parametrize("months", [-1, 25])
def test_no_flood_of_partitions_can_be_asked_for(fresh: TestDatabase, months: int) -> None:
    with psycopg.connect(fresh.url) as connection:
        connection.execute("SET ROLE headgate_system")
        with pytest.raises(psycopg.errors.RaiseException, match="months_ahead"):
            connection.execute("SELECT headgate.ensure_partitions(now(), %s)", [months])


def test_the_app_role_may_not_make_partitions(fresh: TestDatabase) -> None:
    with psycopg.connect(fresh.url) as connection:
        connection.execute("SET ROLE headgate_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT headgate.ensure_partitions(now(), 1)")


async def test_how_many_months_ahead_have_partitions_is_what_there_is(world: World) -> None:
    present = world.clock.now
    ahead = await world.engine.partitions_ahead(present)
    assert ahead >= 3
    assert await world.engine.partitions_ahead(REFERENCE.replace(year=2060)) == -1
    await world.engine.ensure_partitions(REFERENCE.replace(year=2061))
    assert await world.engine.partitions_ahead(REFERENCE.replace(year=2061)) == 3


async def test_a_month_counts_when_every_table_has_its_partition(world: World) -> None:
    reference = REFERENCE.replace(year=2065)
    await world.engine.ensure_partitions(reference)
    connection = await psycopg.AsyncConnection.connect(world.superuser_url)
    async with connection:
        await connection.execute("DROP TABLE headgate.execution_labels_2066_01")

    assert await world.engine.partitions_ahead(reference) == 1
