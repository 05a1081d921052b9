"""An engine without an operator, for commands: nothing runs in it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from headgate.clock import wall
from headgate.domain.envelope import KeyRing
from headgate.engine.engine import Engine
from headgate.engine.types import ExpressionError
from headgate.objects.object_store import ObjectStore
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
async def reading(
    url: str, keys: KeyRing | None = None, archive_store: str | None = None, *, pool_size: int = 1
) -> AsyncIterator[Engine]:
    """The engine of the database of ``url``, for as long as it is used.

    ``keys`` are for those who need credentials, and ``archive_store``, a URL, for those who look at runs that have
    moved there. Raises ``InvalidObjectStore``.
    """
    archive = ObjectStore(archive_store) if archive_store is not None else None
    # A command repeats too little to gain by them, and a pooler may be between.
    database = Database(url, pool_size=pool_size, prepared_statements=False)
    try:
        yield Engine(
            database,
            clock=wall,
            randomness=secrets.token_bytes,
            evaluator=_NoEvaluator(),
            keys=keys,
            archive=archive,
        )
    finally:
        await database.close()
        if archive is not None:
            archive.close()
