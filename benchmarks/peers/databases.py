"""Databases of peers on the kind of Postgres that Headgate has, over TCP."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from urllib.parse import quote

import psycopg
from psycopg import sql

from hack.postgres import SUPERUSER, Server

LOGIN = "peer"


@dataclass(frozen=True)
class Access:
    """How a peer reaches its databases."""

    host: str
    port: int
    password: str = field(repr=False)

    def url(self, database: str, scheme: str = "postgresql") -> str:
        """The database's address."""
        return f"{scheme}://{LOGIN}:{quote(self.password)}@{self.host}:{self.port}/{database}"


def given_databases(server: Server, *names: str) -> Access:
    """Databases of these names, and a login that owns them and nothing else."""
    access = Access(str(server.listen), server.secrets().port, secrets.token_urlsafe(16))
    with psycopg.connect(server.url(SUPERUSER, "postgres", local=True), autocommit=True) as connection:
        login = sql.Identifier(LOGIN)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(login, access.password))
        for name in names:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), login))
    return access


async def count(access: Access, database: str, query: sql.SQL | sql.Composed) -> int:
    """What a query counts."""
    async with await psycopg.AsyncConnection.connect(access.url(database)) as connection:
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return int(row[0])
