"""Everything through a real PgBouncer in transaction mode, with fewer connections than there are transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from hack.postgres import MIGRATOR, RUNTIME
from headgate.api.workflow_run import RunPhase
from headgate.engine.types import RunFilter
from headgate.store import migrate
from headgate.store.bell import Bell
from headgate.store.database import Database
from headgate.store.errors import DatabaseUnavailable
from tests.component.api_client import Api
from tests.component.counted import stopped_clock
from tests.component.ledger import PUBLIC, SIGNING
from tests.component.priced import TODAY, folded, priced, work
from tests.component.test_bell import until_listening
from tests.component.world import World, one_node
from tests.support.databases import TestDatabase
from tests.support.pgbouncer import PgBouncer, own_pgbouncer
from tests.support.waiting import eventually

CONNECTIONS = 3


@pytest.fixture(scope="module")
def bouncer(migrated: TestDatabase) -> Iterator[PgBouncer]:
    with own_pgbouncer(migrated.server, connections=CONNECTIONS) as made:
        yield made


@pytest.fixture
async def database(fresh: TestDatabase, bouncer: PgBouncer) -> AsyncIterator[Database]:
    """What the other fixtures are made on."""
    opened = Database(bouncer.url(fresh.name), pool_size=20, prepared_statements=False)
    yield opened
    await opened.close()


async def test_runs_go_from_admission_to_their_end(world: World) -> None:
    await world.given(one_node(retry={"limit": 1}).with_node("then", after=["work"]))
    requests = [world.request() for _ in range(30)]
    await asyncio.gather(*(world.engine.admit(request) for request in requests))
    while claimed := await world.claim():
        await world.engine.record_jobs([(task.ref, f"uid-{task.ref.run_id}") for task in claimed])
        await asyncio.gather(*(world.succeed(task.ref.run_id, task.ref.node) for task in claimed))

    page = await world.engine.list_runs(world.ids["acme"], RunFilter())
    assert [run.phase for run in page.runs] == [RunPhase.SUCCEEDED] * 30
    assert (await world.usage())["running"] == 0


async def test_a_limit_is_exact_for_many_at_once(world: World) -> None:
    await world.given_workspace("acme", max_concurrent_runs=5)
    await world.given(one_node())
    await asyncio.gather(*(world.engine.admit(world.request()) for _ in range(20)))

    assert (await world.usage())["running"] == 5


async def test_tenants_who_take_turns_on_the_same_connections_see_their_own(world: World) -> None:
    workspaces = ["acme", "other", "third", "fourth"]
    for name in workspaces[1:]:
        await world.given_workspace(name)
    for name in workspaces:
        await world.given(one_node(), name)
    runs = {name: await world.admit(workspace=name) for name in workspaces}

    async def seen(name: str) -> set[UUID]:
        async with world.database.tenant(world.ids[name]) as tx:
            await asyncio.sleep(0)
            return {row.id for row in await tx.rows("SELECT id FROM headgate.workflow_executions")}

    found = await asyncio.gather(*(seen(name) for name in workspaces * 10))
    assert found == [{runs[name]} for name in workspaces * 10]


async def test_a_transaction_leaves_nothing_of_it_behind(world: World, fresh: TestDatabase, bouncer: PgBouncer) -> None:
    await asyncio.gather(*(world.engine.workspaces.usage_of(world.ids["acme"]) for _ in range(20)))
    ask = (
        "SELECT current_user, current_setting('app.workspace_id', true), current_setting('statement_timeout'),"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) FROM pg_sleep(0.01)"
    )

    async def left() -> tuple[object, ...]:
        async with await psycopg.AsyncConnection.connect(bouncer.url(fresh.name), autocommit=True) as connection:
            return tuple(await (await connection.execute(ask)).fetchone() or ())

    found = set(await asyncio.gather(*(left() for _ in range(3 * CONNECTIONS))))
    assert found <= {(RUNTIME, "", "0", 0), (RUNTIME, None, "0", 0)}


async def test_who_holds_a_run_holds_it_against_all_others(
    world: World, fresh: TestDatabase, bouncer: PgBouncer
) -> None:
    impatient = Database(
        bouncer.url(fresh.name), statement_timeout=timedelta(milliseconds=50), prepared_statements=False
    )
    run = uuid4()
    async with world.database.tenant(world.ids["acme"], lock=run):
        with pytest.raises(DatabaseUnavailable):
            async with impatient.tenant(world.ids["acme"], lock=run):
                pass
    # By one who has time: the other one's bound is one of every statement, also of those that wait for nobody.
    async with world.database.tenant(world.ids["acme"], lock=run):
        pass
    await impatient.close()


async def test_audit_logs_costs_and_partitions_are_kept(world: World) -> None:
    priced(world)
    await world.given(one_node())
    await work(world, await world.admit())
    await world.engine.audit.sign(SIGNING)

    view = await folded(world)
    verified = await world.engine.audit.verify(world.ids["acme"], "acme", PUBLIC)
    costs = await world.engine.analytics.costs(world.ids["acme"], "workflow", TODAY, TODAY)

    assert (view.tally.total, verified.finding, len(costs.items)) == (1, None, 1)
    assert await world.engine.partitions_ahead(world.clock.now) >= 3


async def test_the_api_starts_lists_and_steers_runs(world: World, api: Api) -> None:
    await world.given(one_node())
    with stopped_clock(world.superuser_url):
        started = [await api.start() for _ in range(8)]
        answers = await asyncio.gather(*(api.get(f"/runs/{run['id']}") for run in started))
        assert {answer["phase"] for answer in answers} == {"Running"}

        await asyncio.gather(*(api.post(f"/runs/{run['id']}/cancel") for run in started[:4]))

        listed = (await api.get("/runs"))["items"]
        assert len(listed) == 8
        assert await api.calls_used() >= 21


class TestBell:
    async def test_through_it_others_are_rung_for_and_nothing_is_heard(
        self, fresh: TestDatabase, bouncer: PgBouncer
    ) -> None:
        here: list[str] = []
        there: list[str] = []
        pooled, direct = Bell(bouncer.url(fresh.name), here.append), Bell(fresh.direct_url, there.append)
        running = [asyncio.create_task(bell.run()) for bell in (pooled, direct)]
        await until_listening(fresh, 1)

        pooled.ring(["acme"])

        async def heard() -> bool:
            return there == ["acme"]

        await eventually(heard, every=0.01)
        with psycopg.connect(fresh.superuser_url) as connection:
            [count] = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            ).fetchone() or (None,)
        assert (here, count) == ([], 1)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def test_migrations_say_that_they_need_a_connection_of_their_own(empty: TestDatabase, bouncer: PgBouncer) -> None:
    with pytest.raises(migrate.MigrationRefused, match="pooler"):
        migrate.upgrade(bouncer.url(empty.name, MIGRATOR), runtime_login=RUNTIME)
    assert migrate.current_revision(bouncer.url(empty.name, MIGRATOR)) is None
