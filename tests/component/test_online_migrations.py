"""Migrating while programs of an earlier revision go on writing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest

from hack.postgres import RUNTIME
from headgate.store import migrate
from tests.support.databases import TestDatabase
from tests.support.online import REVISION, given_history, kept, writers

RUNS = 20_000
"""`python -m benchmarks.migration` does the same with a million."""


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


def test_every_check_of_the_history_holds_for_all_rows(fresh: TestDatabase) -> None:
    rows = fresh.rows(
        "SELECT conname FROM pg_constraint WHERE connamespace = 'headgate'::regnamespace AND NOT convalidated"
    )
    assert rows == []
