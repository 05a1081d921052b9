"""One embedded Postgres for the session, one fresh database for each test, and an engine on it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from fastapi import APIRouter

from hack.postgres import DATABASE, MIGRATOR, RUNTIME, Server
from headgate.engine.engine import Engine
from headgate.gateway.api import document
from headgate.store import migrate
from headgate.store.database import Database
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.archived import Archive
from tests.component.old_entries import KEPT, OldEntries, given_retention
from tests.component.tables import SHARED_TABLES, TENANT_TABLES
from tests.component.webhook_client import Sender
from tests.component.world import KEYS, Clock, Evaluations, World, one_node
from tests.support.databases import TestDatabase, create_database, drop_database, own_server
from tests.support.pgbouncer import own_pgbouncer
from tests.support.redis_server import RedisServer, own_redis

THROUGH_PGBOUNCER = "HEADGATE_TEST_PGBOUNCER"
"""The variable with which programs reach Postgres through a PgBouncer in all of these tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.component)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with own_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(server: Server) -> Iterator[TestDatabase]:
    migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
    if not os.environ.get(THROUGH_PGBOUNCER):
        yield TestDatabase(server, DATABASE)
        return
    with own_pgbouncer(server, connections=30) as bouncer, pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast("dict[str, Any]", Database.__init__.__kwdefaults__), "prepared_statements", False)
        yield TestDatabase(server, DATABASE, bouncer.url)


@pytest.fixture
def fresh(migrated: TestDatabase) -> Iterator[TestDatabase]:
    """A migrated database without rows: emptied rather than made anew, which takes a hundredth of the time."""
    yield migrated
    with psycopg.connect(migrated.superuser_url, autocommit=True) as connection:
        # The audit log cannot be emptied, by whomever, while its triggers are in force.
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "; ".join(f"DELETE FROM headgate.{table}" for table in (*reversed(TENANT_TABLES), *SHARED_TABLES)).encode()
        )


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
    world = World(database, fresh.superuser_url, clock, Evaluations(), url=fresh.url)
    await world.engine.ensure_partitions(clock.now)
    await world.given_workspace()
    return world


@pytest.fixture(scope="session", autouse=True)
def described_once() -> Iterator[None]:
    """The document of the API is the same whatever its routes work with, and making it takes longer than most tests."""
    made: list[dict[str, Any]] = []

    def described(routes: APIRouter) -> dict[str, Any]:
        if not made:
            made.append(document(routes))
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headgate.gateway.app.document", described)
        yield


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    """One replica of the gateway."""
    async with replica(world, world.engine, ApiServer(), Ticking()) as made:
        yield made


@pytest.fixture
async def sender(api: Api) -> Sender:
    """Another system, whose secret the workspace has."""
    made = Sender(api)
    await made.given_secret()
    return made


@pytest.fixture
async def archive(world: World) -> Archive:
    """An archive in memory, and two workflows whose runs come to it."""
    await world.given(one_node().with_input("day"))
    await world.given(one_node("other"))
    return Archive(world)


@pytest.fixture
async def old(world: World) -> OldEntries:
    """An audit log of five entries that are signed, and are kept for thirty days."""
    old = OldEntries(world)
    await given_retention(world, KEPT)
    assert await old.given(3) == [1, 2, 3, 4, 5]
    return old


@pytest.fixture
async def replicas(world: World, fresh: TestDatabase) -> AsyncIterator[list[Engine]]:
    """Two engines, each with connections of its own, as two operators have them."""
    databases = [Database(fresh.url, pool_size=10, pool_timeout=timedelta(seconds=60)) for _ in range(2)]
    yield [Engine(database, world.expressions, clock=world.clock, keys=KEYS) for database in databases]
    for database in databases:
        await database.close()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis that a test may kill."""
    with own_redis() as server:
        yield server


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was sent to Postgres so far."""
    sent: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def counting(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(str(query))
        return await execute(cursor, query, *arguments, **options)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", counting)
    return sent
