"""Databases to test on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import count

import psycopg
from psycopg import sql

from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server

TENANT_TABLES = (
    "workspaces",
    "workspace_resource_quotas",
    "workspace_usage",
    "workflows",
    "workflow_versions",
    "workflow_schedules",
    "workflow_executions",
    "workflow_execution_steps",
    "execution_triggers",
    "tasks",
)
"""Every table but Alembic's; each after those that it refers to."""
_numbers = count(1)


@dataclass(frozen=True)
class ComponentDatabase:
    """A database of one test."""

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


def create_database(server: Server) -> ComponentDatabase:
    """A database of a name of its own, owned by the migrations' login."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(MIGRATOR))
        )
    return ComponentDatabase(server, name)


def drop_database(database: ComponentDatabase) -> None:
    with psycopg.connect(database.server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name)))
