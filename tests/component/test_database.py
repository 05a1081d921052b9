"""Transactions, and Postgres that is not there."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from hack.postgres import MIGRATOR, RUNTIME, Server
from headgate.engine.engine import Engine
from headgate.store import migrate
from headgate.store.absent import AbsentDatabase
from headgate.store.at_once import OneStatement
from headgate.store.beginning import HELD
from headgate.store.connection_pool import ConnectionPool
from headgate.store.database import Database
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable, RunHeld, StatementRefused
from tests.component.world import World
from tests.support.databases import TestDatabase


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that a test may kill."""
    state = Path(tempfile.mkdtemp(prefix="headgate-test-"))
    state.chmod(0o755)
    server = Server(state, durable=False).up()
    migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
    yield server
    server.down()
    shutil.rmtree(state)


async def test_connections_that_were_cut_are_replaced_without_anyone_noticing(
    database: Database, fresh: TestDatabase, world: World
) -> None:
    await asyncio.gather(*(world.engine.ping() for _ in range(5)))
    with psycopg.connect(fresh.superuser_url) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [RUNTIME])

    await asyncio.gather(*(world.engine.ping() for _ in range(5)))
    with psycopg.connect(fresh.superuser_url) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [RUNTIME])

    found = [OneStatement(database, world.ids["acme"]).value("SELECT id FROM headgate.workspaces") for _ in range(5)]
    assert await asyncio.gather(*found) == [world.ids["acme"]] * 5


async def test_a_server_that_crashes_is_unavailable_until_it_is_back(own_server: Server) -> None:
    database = Database(own_server.url(RUNTIME))
    async with database.system() as tx:
        await tx.execute("SELECT 1")

    own_server.kill()
    with pytest.raises(DatabaseUnavailable):
        async with database.system():
            pass
    own_server.up()

    async with database.system() as tx:
        assert await tx.value("SELECT current_user") == "headgate_system"
    await database.close()


async def test_what_a_transaction_wrote_is_gone_when_its_body_raises(world: World, database: Database) -> None:
    async def fail() -> None:
        async with database.tenant(world.ids["acme"]) as tx:
            await tx.execute("UPDATE headgate.workspace_usage SET running = 7")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert (await world.usage())["running"] == 0


async def test_who_does_not_wait_for_a_run_is_told_that_another_one_holds_it(world: World, database: Database) -> None:
    run = uuid4()
    async with database.tenant(world.ids["acme"], lock=run, wait=False):
        with pytest.raises(RunHeld):
            async with database.tenant(world.ids["acme"], lock=run, wait=False):
                pass

    async with database.tenant(world.ids["acme"], lock=run, wait=False) as tx:
        assert await tx.value("SELECT 1") == 1


async def test_who_shares_a_transaction_holds_those_runs_that_nobody_else_holds(
    world: World, database: Database
) -> None:
    free, held, another = uuid4(), uuid4(), uuid4()
    async with (
        database.tenant(world.ids["acme"], lock=held),
        database.shared(world.ids["acme"], [free, held, another]) as (_, found),
    ):
        assert found == {free, another}


class TestAtOnce:
    """Of one statement, for one round trip."""

    async def test_the_tenant_s_rows_are_seen_and_no_others(self, world: World, database: Database) -> None:
        other = await world.given_workspace("other")
        mine = world.ids["acme"]

        rows = await OneStatement(database, mine).rows("SELECT id FROM headgate.workspaces")

        assert [row.id for row in rows] == [mine] != [other]

    async def test_nothing_of_it_is_left_on_the_connection(self, world: World, fresh: TestDatabase) -> None:
        alone = Database(fresh.url, pool_size=1)
        await alone.at_once(world.ids["acme"], "SELECT 1", lock=uuid4())
        left = (
            "SELECT current_user, current_setting('app.workspace_id') AS workspace, current_setting('app.held') AS held"
        )
        pooled = await alone._pool.take()

        row = await (await pooled.connection.execute(left)).fetchone()

        locks = await world.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted")
        alone._pool.keep(pooled)
        await alone.close()
        assert row is not None
        assert tuple(row) == (RUNTIME, "", "")
        assert locks == []

    async def test_it_tells_whether_the_run_is_held(self, world: World, database: Database) -> None:
        run = uuid4()
        asked = f"SELECT {HELD} AS held"
        async with database.tenant(world.ids["acme"], lock=run):
            elsewhere = await (await database.at_once(world.ids["acme"], asked, lock=run)).fetchone()
        free = await (await database.at_once(world.ids["acme"], asked, lock=run)).fetchone()

        assert elsewhere is not None
        assert free is not None
        assert (elsewhere.held, free.held) == (False, True)

    async def test_what_fails_leaves_nothing_and_the_connection_is_good(
        self, world: World, fresh: TestDatabase
    ) -> None:
        alone = Database(fresh.url, pool_size=1)
        mine = world.ids["acme"]
        fails = "UPDATE headgate.workspace_usage SET running = 7 RETURNING 1 / (running - 7)"

        with pytest.raises(StatementRefused, match="DivisionByZero"):
            await OneStatement(alone, mine).execute(fails)

        running = await OneStatement(alone, mine).value("SELECT running FROM headgate.workspace_usage")
        await alone.close()
        assert running == 0

    async def test_it_is_carried_out_as_it_is_in_a_transaction_of_several(
        self, world: World, database: Database
    ) -> None:
        names = ("statement_timeout", "lock_timeout", "jit", "plan_cache_mode", "role", "enable_seqscan")
        asked = "SELECT " + ", ".join(f"current_setting('{name}') AS {name}" for name in names)
        mine = world.ids["acme"]
        for lock in (None, uuid4()):
            async with database.tenant(mine, by_index=lock is not None) as tx:
                several = await tx.one(asked)

            assert await (await database.at_once(mine, asked, lock=lock)).fetchone() == several

    async def test_what_it_writes_is_kept_and_it_takes_no_more(self, world: World, database: Database) -> None:
        mine = world.ids["acme"]
        tx = OneStatement(database, mine)

        assert await tx.execute("UPDATE headgate.workspace_usage SET running = running") == 1
        with pytest.raises(AssertionError, match="is over"):
            await tx.rows("SELECT 1")


async def test_a_wait_for_a_lock_ends(world: World, database: Database, fresh: TestDatabase) -> None:
    impatient = Database(fresh.url, statement_timeout=timedelta(milliseconds=50))
    run = uuid4()
    async with database.tenant(world.ids["acme"], lock=run):
        with pytest.raises(DatabaseUnavailable):
            async with impatient.tenant(world.ids["acme"], lock=run):
                pass
    await impatient.close()


async def test_a_pool_without_a_free_connection_is_unavailable(fresh: TestDatabase) -> None:
    single = Database(fresh.url, pool_size=1, pool_timeout=timedelta(milliseconds=50))
    async with single.system():
        with pytest.raises(DatabaseUnavailable, match="no connection"):
            async with single.system():
                pass
    await single.close()


async def test_a_database_that_was_not_migrated_says_what_to_run(empty: TestDatabase, world: World) -> None:
    database = Database(empty.url)
    engine = Engine(database, world.expressions, clock=world.clock)
    with pytest.raises(DatabaseNotMigrated, match="headgate migrate"):
        await engine.ping()
    with pytest.raises(DatabaseNotMigrated):
        await engine.workspaces.id_of("acme")
    with pytest.raises(DatabaseNotMigrated):
        await engine.ensure_partitions(world.clock.now)
    await database.close()


@pytest.mark.parametrize("wrong", [{"password": "not-the-secret"}, {"username": "nobody"}, {"database": "nowhere"}])
async def test_a_refused_login_is_told_apart_from_a_server_that_is_away(
    fresh: TestDatabase, wrong: dict[str, Any]
) -> None:
    database = Database(make_url(fresh.url).set(**wrong).render_as_string(hide_password=False))
    with pytest.raises(DatabaseUnavailable, match="refuses the login") as caught:
        async with database.system():
            pass
    await database.close()
    assert not [value for value in wrong.values() if value in str(caught.value)]


async def test_what_postgres_refuses_is_told_without_the_values_of_the_row(world: World, database: Database) -> None:
    async def write(statement: str) -> None:
        async with database.tenant(world.ids["acme"]) as tx:
            await tx.execute(statement)

    with pytest.raises(StatementRefused, match=r"CheckViolation: .* violates check") as negative:
        await write("UPDATE headgate.workspace_usage SET running = -4711")
    with pytest.raises(StatementRefused, match="InvalidTextRepresentation") as invalid:
        await write("SELECT 'hunter2'::integer")

    assert "4711" not in f"{negative.value} {negative.value.__cause__}"
    assert "hunter2" not in f"{invalid.value} {invalid.value.__cause__}"


async def test_a_transaction_cannot_go_on_after_a_failure_as_if_nothing_had_happened(
    world: World, database: Database
) -> None:
    async def go_on() -> None:
        async with database.tenant(world.ids["acme"]) as tx:
            with suppress(psycopg.Error):
                await tx.execute("SELECT 1 / 0")

    with pytest.raises(StatementRefused):
        await go_on()


async def test_a_caller_who_is_cancelled_leaves_no_transaction_open(world: World, fresh: TestDatabase) -> None:
    database = Database(fresh.url, pool_size=1)
    entered = asyncio.Event()

    async def hang() -> None:
        async with database.tenant(world.ids["acme"]) as tx:
            await tx.execute("UPDATE headgate.workspace_usage SET running = 7")
            entered.set()
            await tx.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(hang())
    await entered.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    async with database.system() as tx:
        assert await tx.value("SELECT current_user") == "headgate_system"
    await database.close()
    assert (await world.usage())["running"] == 0


async def test_a_connection_whose_mending_is_cut_short_by_the_end_of_the_loop_is_closed(fresh: TestDatabase) -> None:
    pool = ConnectionPool(fresh.url, size=1, timeout=timedelta(seconds=10), prepare_after=None)
    pooled = await pool.take()
    await pooled.connection.execute("BEGIN")
    mending = asyncio.create_task(pool.mend(pooled))
    await asyncio.sleep(0)
    mending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await mending

    assert pooled.connection.closed
    another = await pool.take()
    assert pool.keep(another)
    await pool.close()


async def test_a_login_that_was_not_given_the_roles_says_what_to_run(fresh: TestDatabase) -> None:
    with psycopg.connect(fresh.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'guess'")
    url = make_url(fresh.url).set(username="stranger", password="guess").render_as_string(hide_password=False)
    database = Database(url)
    with pytest.raises(DatabaseNotMigrated, match="lacks Headgate's roles"):
        async with database.system():
            pass
    await database.close()


async def test_without_a_database_every_transaction_says_what_to_set() -> None:
    database = AbsentDatabase()
    with pytest.raises(DatabaseUnavailable, match="HEADGATE_DATABASE_URL"):
        async with database.system():
            pass
    with pytest.raises(DatabaseUnavailable):
        async with database.tenant(uuid4()):
            pass
    await database.close()
