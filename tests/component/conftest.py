"""One embedded Postgres for the session, one fresh database for each test, and an engine on it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from hack.postgres import DATABASE, MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.store import migrate
from headgate.store.database import Database
from tests.component.world import Clock, Evaluations, World

_numbers = count(1)


@dataclass(frozen=True)
class TestDatabase:
    """A database of one test."""

    __test__ = False

    server: Server
    name: str

    @property
    def url(self) -> str:
        return self.server.url(RUNTIME, self.name)

    @property
    def migration_url(self) -> str:
        return self.server.url(MIGRATOR, self.name)

    @property
    def superuser_url(self) -> str:
        return self.server.url(SUPERUSER, self.name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.component)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    # pytest's own temporary directory is closed to the account that Postgres runs under where we are root.
    state = Path(tempfile.mkdtemp(prefix="headgate-test-"))
    state.chmod(0o755)
    server = Server(state, durable=False)
    try:
        yield server.up()
    finally:
        server.down()
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
    return DATABASE


def create_database(server: Server, *, template: str = "template0") -> TestDatabase:
    """A database of a name of its own, owned by the migrations' login."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(MIGRATOR)
            )
        )
    return TestDatabase(server, name)


def drop_database(database: TestDatabase) -> None:
    with psycopg.connect(database.server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name)))


@pytest.fixture
def fresh(server: Server, template: str) -> Iterator[TestDatabase]:
    """A migrated database without rows."""
    database = create_database(server, template=template)
    yield database
    drop_database(database)


@pytest.fixture
def empty(server: Server) -> Iterator[TestDatabase]:
    """A database that was never migrated."""
    database = create_database(server)
    yield database
    drop_database(database)


@pytest.fixture
async def database(fresh: TestDatabase) -> AsyncIterator[Database]:
    opened = Database(fresh.url, pool_size=20)
    yield opened
    await opened.close()


@pytest.fixture
async def world(database: Database, fresh: TestDatabase) -> World:
    """An engine at noon of a day in March, with the workspace ``acme``."""
    clock = Clock()
    world = World(database, fresh.superuser_url, clock, Evaluations())
    await world.engine.ensure_partitions(clock.now)
    await world.given_workspace()
    return world
