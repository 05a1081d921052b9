"""The database of an operator that was given none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg

from headgate.store.database import Database, Transaction
from headgate.store.errors import DatabaseAbsent
from headgate.store.joint import Parameters

_MESSAGE = "no database is configured: set HEADGATE_DATABASE_URL"


class AbsentDatabase(Database):
    """Refuses every transaction, so that Workspaces and Quotas are still reconciled and say what is missing."""

    def __init__(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def tenant(
        self,
        workspace_id: UUID,
        *,
        lock: UUID | None = None,
        share: UUID | None = None,
        snapshot: bool = False,
        by_index: bool = False,
        wait: bool = True,
    ) -> AsyncIterator[Transaction]:
        """Raises ``DatabaseAbsent``."""
        raise DatabaseAbsent(_MESSAGE)
        yield

    @asynccontextmanager
    async def shared(
        self, workspace_id: UUID, locks: Sequence[UUID]
    ) -> AsyncIterator[tuple[Transaction, frozenset[UUID]]]:
        """Raises ``DatabaseAbsent``."""
        raise DatabaseAbsent(_MESSAGE)
        yield

    async def at_once(
        self,
        workspace_id: UUID,
        statement: str,
        parameters: Parameters | None = None,
        *,
        lock: UUID | None = None,
        prepare: bool | None = None,
    ) -> psycopg.AsyncCursor[Any]:
        """Raises ``DatabaseAbsent``."""
        raise DatabaseAbsent(_MESSAGE)

    @asynccontextmanager
    async def system(self, *, lock: int | None = None, by_index: bool = False) -> AsyncIterator[Transaction]:
        """Raises ``DatabaseAbsent``."""
        raise DatabaseAbsent(_MESSAGE)
        yield
