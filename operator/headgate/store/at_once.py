"""A transaction of one statement, which is asked for, carried out and kept in one round trip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from headgate.store.database import Database, Transaction
from headgate.store.joint import Joint, Parameters


class NotAtOnce(Exception):  # noqa: N818 - a state of the world, not a mistake
    """It takes more than that statement, or things are not as they were taken to be. Nothing was written."""


class AtOnce(Transaction):
    """Takes the one statement that has a form for it, and refuses all others.

    The statement writes nothing, and gives no row, where things are not as ``expected``. So whoever decides by what is
    expected need not read it first.
    """

    def __init__(self, database: Database, workspace_id: UUID, lock: UUID, expected: Mapping[str, Any]) -> None:
        """``lock`` is the run that has to be held meanwhile; the statement gets ``expected`` beside what it takes."""
        self._database = database
        self._workspace_id = workspace_id
        self._lock = lock
        self._expected = expected
        self._over = False

    async def joint(self, statement: Joint, parameters: Parameters) -> list[Any]:
        """Its rows; the transaction is over then. Raises ``NotAtOnce`` where nothing was written."""
        if not statement.at_once:
            raise NotAtOnce(statement.alone)
        self._begin()
        asked = {**parameters, **self._expected}
        rows = await self._database.at_once(self._workspace_id, statement.at_once, asked, lock=self._lock)
        if not rows:
            raise NotAtOnce("something has changed")
        return rows

    async def rows(
        self, statement: str, parameters: Parameters | None = None, *, prepare: bool | None = None
    ) -> list[Any]:
        """Raises ``NotAtOnce``."""
        del parameters, prepare
        raise self._refusal(statement)

    async def row(
        self, statement: str, parameters: Parameters | None = None, *, prepare: bool | None = None
    ) -> Any | None:
        """Raises ``NotAtOnce``."""
        del parameters, prepare
        raise self._refusal(statement)

    async def execute(self, statement: str, parameters: Parameters | None = None) -> int:
        """Raises ``NotAtOnce``."""
        del parameters
        raise self._refusal(statement)

    def _begin(self) -> None:
        if self._over:
            raise AssertionError("the transaction is over: what it wrote is kept")
        self._over = True

    def _refusal(self, statement: str) -> NotAtOnce:
        self._begin()
        return NotAtOnce(statement)
