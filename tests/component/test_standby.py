"""Reads that may be late, from a real standby that streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from hack.postgres import RUNTIME, SUPERUSER
from headgate.engine.engine import Engine
from headgate.engine.reading.history import SETTLED
from headgate.engine.types import RunFilter
from headgate.gateway.metrics import StandbyState
from headgate.store.database import Transaction
from headgate.store.errors import DatabaseUnavailable
from headgate.store.standby import Standby
from tests.component.api_client import Ticking
from tests.component.priced import PRICES, TODAY, priced, work
from tests.component.world import KEYS, World, one_node
from tests.support.databases import TestDatabase
from tests.support.standby import Standby as Follower
from tests.support.standby import own_standby
from tests.support.waiting import eventually

MOST_LAG = timedelta(seconds=10)


@pytest.fixture(scope="module")
def follower(migrated: TestDatabase) -> Iterator[Follower]:
    with own_standby(migrated.server) as made:
        yield made


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
async def standby(world: World, follower: Follower, ticking: Ticking) -> AsyncIterator[Standby]:
    """The standby as the gateway has it, which keeps up; its clock stands still."""
    made = Standby(world.database, follower.url(RUNTIME), most_lag=MOST_LAG, monotonic=ticking, pool_size=2)
    priced(world)
    world.engine = Engine(world.database, world.expressions, clock=world.clock, keys=KEYS, prices=PRICES, standby=made)
    await kept_up(made, follower)
    yield made
    follower.up()
    follower.resume()
    await made.close()


async def kept_up(standby: Standby, follower: Follower) -> None:
    async def looked() -> bool:
        await standby.look()
        return follower.has_everything() and standby.keeps_up and standby.lag == 0

    await eventually(looked, every=0.02, what="a standby that has everything")


async def spent(world: World) -> str | None:
    page = await world.engine.analytics.costs(world.ids["acme"], "day", TODAY, TODAY)
    return None if page.total is None else f"{page.total.normalize():f}"


async def a_run_that_cost(world: World) -> None:
    await work(world, await world.admit())
    while await world.engine.analytics.fold():
        pass


async def where(tx: Transaction) -> str:
    return "standby" if await tx.value("SELECT pg_is_in_recovery()") else "primary"


async def test_analytics_costs_and_what_lies_back_in_a_list_come_from_the_standby(
    world: World, standby: Standby, follower: Follower
) -> None:
    await world.given(one_node())
    await a_run_that_cost(world)
    await kept_up(standby, follower)
    follower.pause()
    await a_run_that_cost(world)

    view = await world.engine.analytics.view(world.ids["acme"], TODAY, TODAY)
    world.clock.now += SETTLED
    earlier = await world.engine.list_runs(world.ids["acme"], RunFilter(until=world.clock.now - SETTLED))

    assert view is not None
    assert (view.tally.total, await spent(world), len(earlier.runs)) == (1, "0.001", 1)
    assert (standby.by_replica, standby.by_primary) == (3, 0)


async def test_what_somebody_did_just_now_is_read_from_the_primary(
    world: World, standby: Standby, follower: Follower
) -> None:
    await world.given(one_node())
    await kept_up(standby, follower)
    follower.pause()

    run = await world.admit()

    newest = await world.engine.list_runs(world.ids["acme"], RunFilter())
    assert [found.run_id for found in newest.runs] == [run]
    assert (await world.view(run)).run_id == run
    assert (standby.by_replica, standby.by_primary) == (0, 0)


async def test_a_standby_that_lags_more_than_the_limit_is_not_believed_and_later_is_again(
    world: World, standby: Standby, follower: Follower, ticking: Ticking
) -> None:
    await world.given(one_node())
    await kept_up(standby, follower)
    follower.pause()
    await a_run_that_cost(world)
    ticking.seconds = MOST_LAG.total_seconds()
    assert await spent(world) is None
    ticking.seconds += 0.1
    assert await spent(world) == "0.001"
    await standby.look()
    assert not standby.keeps_up
    assert standby.lag == pytest.approx(10.1)

    follower.resume()
    await kept_up(standby, follower)

    before = standby.by_replica
    assert await spent(world) == "0.001"
    assert standby.by_replica == before + 1


async def test_a_primary_on_which_nothing_happens_leaves_no_standby_behind(
    standby: Standby, ticking: Ticking, follower: Follower
) -> None:
    for _ in range(20):
        ticking.seconds += 3600
        await kept_up(standby, follower)


async def test_a_standby_that_is_away_costs_an_answer_from_the_primary(
    world: World, standby: Standby, follower: Follower
) -> None:
    await world.given(one_node())
    await a_run_that_cost(world)
    await kept_up(standby, follower)
    assert await spent(world) == "0.001"
    follower.kill()

    assert await spent(world) == "0.001"
    assert not standby.keeps_up
    await standby.look()
    assert (standby.keeps_up, standby.by_primary) == (False, 1)

    follower.up()
    await kept_up(standby, follower)


async def test_a_read_that_the_standby_cuts_off_is_done_again_by_the_primary(
    world: World, standby: Standby, follower: Follower
) -> None:
    asked: list[str] = []
    begun = asyncio.Event()

    async def read(tx: Transaction) -> str:
        asked.append(await where(tx))
        if asked == ["standby"]:
            begun.set()
            await tx.execute("SELECT pg_sleep(60)")
        return asked[-1]

    reading = asyncio.create_task(standby.read(world.ids["acme"], read))
    await begun.wait()
    with psycopg.connect(follower.url(SUPERUSER, "postgres", local=True)) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [RUNTIME])

    assert await reading == "primary"
    assert asked == ["standby", "primary"]


async def test_the_standby_keeps_tenants_apart_and_takes_no_writes(
    world: World, standby: Standby, follower: Follower
) -> None:
    await world.given_workspace("other")
    await world.given(one_node(), "other")
    await world.admit(workspace="other")
    await kept_up(standby, follower)

    async def seen(tx: Transaction) -> tuple[str, int]:
        return await where(tx), await tx.value("SELECT count(*) FROM headgate.workflow_executions") or 0

    async def write(tx: Transaction) -> str:
        if await where(tx) == "standby":
            await tx.execute("DELETE FROM headgate.api_keys")
        return await where(tx)

    assert await standby.read(world.ids["acme"], seen) == ("standby", 0)
    assert await standby.read(world.ids["other"], seen) == ("standby", 1)
    assert await standby.read(world.ids["acme"], write) == "primary"


async def test_a_database_that_does_not_follow_is_not_read_from(
    world: World, empty: TestDatabase, ticking: Ticking
) -> None:
    strange = Standby(world.database, empty.url, most_lag=MOST_LAG, monotonic=ticking)
    await strange.look()
    assert not strange.keeps_up
    assert await strange.read(world.ids["acme"], where) == "primary"
    await strange.close()


async def test_without_the_primary_the_standby_is_believed_no_longer_than_it_may_lag(
    world: World, standby: Standby, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise DatabaseUnavailable("Postgres is not available")

    monkeypatch.setattr(world.database, "system", away)
    with pytest.raises(DatabaseUnavailable):
        await standby.look()
    assert await standby.read(world.ids["acme"], where) == "standby"

    ticking.seconds = MOST_LAG.total_seconds() + 0.1
    assert await standby.read(world.ids["acme"], where) == "primary"


async def test_metrics_tell_who_answered_and_how_far_the_standby_is_behind(
    world: World, standby: Standby, ticking: Ticking, follower: Follower
) -> None:
    registry = CollectorRegistry()
    registry.register(StandbyState(standby))
    follower.pause()
    ticking.seconds = 4
    await standby.look()
    await spent(world)

    assert registry.get_sample_value("headgate_replica_up") == 1
    assert registry.get_sample_value("headgate_replica_lag_seconds") == 4
    by = {
        who: registry.get_sample_value("headgate_gateway_late_reads_total", {"by": who})
        for who in ("replica", "primary")
    }
    assert by == {"replica": 1, "primary": 0}
