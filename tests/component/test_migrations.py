"""``headgate migrate``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import OperationalError

from hack.postgres import RUNTIME
from headgate.store import migrate
from headgate.store.tables import SCHEMA, metadata
from tests.support.databases import TestDatabase


def tables(database: TestDatabase) -> set[str]:
    with psycopg.connect(database.superuser_url) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'headgate'"
        return {row[0] for row in connection.execute(query)} - {"alembic_version"}


def test_up_down_and_up_again(empty: TestDatabase) -> None:
    migrate.upgrade(empty.migration_url, runtime_login=RUNTIME)
    first = tables(empty)
    assert migrate.current_revision(empty.migration_url) == migrate.newest_revision()

    migrate.downgrade(empty.migration_url, "base")
    assert tables(empty) == set()
    assert migrate.current_revision(empty.migration_url) is None

    migrate.upgrade(empty.migration_url, runtime_login=RUNTIME)
    assert tables(empty) == first


def test_migrating_again_changes_nothing(fresh: TestDatabase) -> None:
    before = tables(fresh)
    migrate.upgrade(fresh.migration_url, runtime_login=RUNTIME)
    assert tables(fresh) == before


def test_two_migrations_at_once_take_turns(empty: TestDatabase) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(migrate.upgrade, empty.migration_url, runtime_login=RUNTIME) for _ in range(4)]:
            done.result()
    assert migrate.current_revision(empty.migration_url) == migrate.newest_revision()


def test_the_runtime_login_can_ask_for_the_revision(fresh: TestDatabase, empty: TestDatabase) -> None:
    assert migrate.current_revision(fresh.url) == migrate.newest_revision()
    assert migrate.current_revision(empty.url) is None


def test_a_database_that_does_not_answer_is_waited_for_and_then_given_up(empty: TestDatabase) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise InterruptedError

    missing = make_url(empty.migration_url).set(database="not_there").render_as_string(hide_password=False)
    with pytest.raises(InterruptedError):
        migrate.upgrade(missing, wait=timedelta(minutes=1), sleep=sleep)
    with pytest.raises(OperationalError):
        migrate.upgrade(missing, wait=timedelta(0), sleep=sleep)


def test_a_login_that_may_not_prepare_the_database_is_told_what_an_administrator_has_to_run(
    empty: TestDatabase,
) -> None:
    with pytest.raises(migrate.MigrationRefused, match="CREATE ROLE headgate_owner NOLOGIN"):
        migrate.upgrade(empty.url)


def test_the_tables_that_the_code_knows_are_those_of_the_migrations(fresh: TestDatabase) -> None:
    engine = create_engine(make_url(fresh.superuser_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        partitions = set(
            connection.exec_driver_sql(
                "SELECT relname FROM pg_class WHERE relispartition AND relnamespace = 'headgate'::regnamespace"
            ).scalars()
        )
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: name == SCHEMA if kind == "schema" else name not in partitions,
                "compare_server_default": True,
                "version_table_schema": SCHEMA,
            },
        )
        differences = [change for change in _flat(compare_metadata(context, metadata)) if "comment" not in change[0]]
    engine.dispose()
    assert differences == []


def _flat(changes: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Changes of columns come in lists."""
    for change in changes:
        if isinstance(change, list):
            yield from change
        else:
            yield change
