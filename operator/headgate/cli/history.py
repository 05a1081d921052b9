"""Reading history for the command line."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from headgate.engine.engine import Engine
from headgate.engine.types import ExpressionError, RunFilter, RunSummary, RunView
from headgate.store.database import Database


class _NoEvaluator:
    """Nothing is evaluated in reading."""

    async def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Any:
        raise ExpressionError("nothing is evaluated here")

    async def evaluate_many(
        self, expressions: Sequence[str], variables: Mapping[str, Any]
    ) -> list[Any | ExpressionError]:
        return [ExpressionError("nothing is evaluated here") for _ in expressions]


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[Engine]:
    """An engine that is only asked."""
    database = Database(url, pool_size=1)
    try:
        yield Engine(
            database, clock=lambda: datetime.now(UTC), randomness=secrets.token_bytes, evaluator=_NoEvaluator()
        )
    finally:
        await database.close()


async def read(
    url: str, workspace: str, run: UUID | None, limit: int
) -> tuple[tuple[RunSummary, ...] | None, RunView | None]:
    """The newest runs of the workspace, or one run; no runs at all (None) where there is no such workspace."""
    async with reading(url) as engine:
        workspace_id = await engine.workspace_id(workspace)
        if workspace_id is None:
            return None, None
        if run is not None:
            return (), await engine.run_view(workspace_id, run)
        return (await engine.list_runs(workspace_id, RunFilter(), limit=limit)).runs, None
