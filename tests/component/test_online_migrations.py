"""Migrating while programs of an earlier revision go on writing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from hack.postgres import RUNTIME
from headgate.store import migrate
from headgate.store.migrations.indexes import add_index
from tests.support.databases import TestDatabase
from tests.support.online import REVISION, given_history, kept, writers

RUNS = 1_000_000
"""As many as are promised: how long writers wait for it meanwhile is told by `python -m benchmarks.migration`."""


@pytest.fixture
def earlier(empty: TestDatabase) -> TestDatabase:
    """A database of an earlier revision."""
    migrate.upgrade(empty.migration_url, runtime_login=RUNTIME, revision=REVISION)
    return empty


async def test_writers_go_on_while_a_database_with_history_is_migrated_forward_and_back(earlier: TestDatabase) -> None:
    workspace = given_history(earlier.superuser_url, RUNS)
    async with writers(earlier.url, workspace) as written:
        await asyncio.to_thread(migrate.upgrade, earlier.migration_url, runtime_login=RUNTIME)
        assert migrate.current_revision(earlier.migration_url) == migrate.newest_revision()
        await written.more()
        await asyncio.to_thread(migrate.downgrade, earlier.migration_url, REVISION)
        await written.more()

    assert written.failures == []
    assert kept(earlier.superuser_url, written) == len(written.runs)
    assert earlier.rows("SELECT count(*) FROM headgate.workflow_executions") == [(RUNS + len(written.runs),)]
    assert earlier.rows("SELECT running FROM headgate.workspace_usage") == [(0,)]
    await asyncio.to_thread(migrate.upgrade, earlier.migration_url, runtime_login=RUNTIME)


def test_a_migration_gives_way_to_a_long_transaction_and_goes_on_after_it(earlier: TestDatabase) -> None:
    with psycopg.connect(earlier.superuser_url) as reader, psycopg.connect(earlier.superuser_url) as writer:
        reader.execute("SELECT FROM headgate.workflow_executions")
        pauses = 0

        def sleep(_seconds: float) -> None:
            nonlocal pauses
            pauses += 1
            # Nothing waits in front of whoever comes now.
            writer.execute("SET lock_timeout = '1s'")
            writer.execute("LOCK TABLE headgate.workflow_executions IN ROW EXCLUSIVE MODE")
            writer.rollback()
            if pauses == 3:
                reader.rollback()

        migrate.upgrade(earlier.migration_url, runtime_login=RUNTIME, sleep=sleep)

    assert pauses == 3
    assert migrate.current_revision(earlier.migration_url) == migrate.newest_revision()


def test_a_migration_that_gets_no_lock_says_why_and_leaves_what_it_did_before(earlier: TestDatabase) -> None:
    with psycopg.connect(earlier.superuser_url) as reader:
        reader.execute("SELECT FROM headgate.workflow_executions")
        with pytest.raises(migrate.MigrationRefused, match="long transactions"):
            migrate.upgrade(earlier.migration_url, runtime_login=RUNTIME, patience=timedelta(0))
    assert migrate.current_revision(earlier.migration_url) == "0006"

    migrate.upgrade(earlier.migration_url, runtime_login=RUNTIME)


async def test_an_index_on_the_history_is_built_beside_writers_and_those_who_are_cut_off(earlier: TestDatabase) -> None:
    workspace = given_history(earlier.superuser_url, 2_000)
    table, name = "workflow_executions", "workflow_executions_resource"
    with psycopg.connect(earlier.superuser_url, autocommit=True) as connection:
        [(month,)] = connection.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')").fetchall()
        # As one leaves it whose building was cut off.
        connection.execute(f"CREATE INDEX {table}_{month}_resource ON headgate.{table}_{month} (resource)".encode())
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = CAST(%s AS regclass)",
            [f"headgate.{table}_{month}_resource"],
        )
    async with writers(earlier.url, workspace) as written:
        for _ in range(2):
            await asyncio.to_thread(with_index, earlier, table, name, "(workspace_id, resource)")
        await written.more()

    assert written.failures == []
    states = earlier.rows("SELECT indisvalid FROM pg_index WHERE indexrelid::regclass::text LIKE '%%_resource'")
    months = earlier.rows("SELECT FROM pg_inherits WHERE inhparent = CAST(%s AS regclass)", f"headgate.{table}")
    assert states == [(True,)] * (1 + len(months))


def with_index(database: TestDatabase, table: str, name: str, definition: str) -> None:
    """Add it as a revision would."""
    engine = create_engine(make_url(database.superuser_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with Operations.context(context), context.begin_transaction(_per_migration=True):
            add_index(table, name, definition)
    engine.dispose()


def test_every_check_of_the_history_holds_for_all_rows(fresh: TestDatabase) -> None:
    rows = fresh.rows(
        "SELECT conname FROM pg_constraint WHERE connamespace = 'headgate'::regnamespace AND NOT convalidated"
    )
    assert rows == []
