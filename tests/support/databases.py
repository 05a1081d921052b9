"""Databases of their own for tests, in one embedded Postgres."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server

_numbers = count(1)


@contextmanager
def own_server() -> Iterator[Server]:
    """A Postgres that nobody else uses, gone afterwards."""
    # pytest's own temporary directory is closed to the account that Postgres runs under where we are root.
    state = Path(tempfile.mkdtemp(prefix="headgate-test-"))
    state.chmod(0o755)
    server = Server(state, durable=False)
    try:
        yield server.up()
    finally:
        server.down()
        shutil.rmtree(state, ignore_errors=True)


@dataclass(frozen=True)
class TestDatabase:
    """A database of one test."""

    __test__ = False

    server: Server
    name: str
    pooled: Callable[[str], str] | None = None
    """The URL of a database through a pooler, where programs are to use one."""

    @property
    def url(self) -> str:
        return self.direct_url if self.pooled is None else self.pooled(self.name)

    @property
    def direct_url(self) -> str:
        """Past the pooler, where there is one."""
        return self.server.url(RUNTIME, self.name)

    @property
    def migration_url(self) -> str:
        return self.server.url(MIGRATOR, self.name)

    @property
    def superuser_url(self) -> str:
        return self.server.url(SUPERUSER, self.name, local=True)

    def do(self, statements: str) -> None:
        """Carry out statements, past row-level security."""
        with psycopg.connect(self.superuser_url) as connection:
            connection.execute(statements.encode())

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What is there, seen past row-level security."""
        with psycopg.connect(self.superuser_url) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()


def create_database(server: Server, *, template: str = "template0") -> TestDatabase:
    """A database of a name of its own, owned by the migrations' login."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server.url(SUPERUSER, "postgres", local=True), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(MIGRATOR)
            )
        )
    return TestDatabase(server, name)


def drop_database(database: TestDatabase) -> None:
    """Drop it, whoever is connected."""
    with psycopg.connect(database.server.url(SUPERUSER, "postgres", local=True), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name)))
