"""One transaction for several who do the same at once, each of whom works as if it were theirs.

They take turns: each goes on until it comes to a statement that has a form for several. Once all have come to one, or
are done, it is carried out, once for all of them who came to the same.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from headgate.store.database import Transaction
from headgate.store.joint import Joint, Parameters
from headgate.store.records import to_json

R = TypeVar("R")
_Ask = tuple[Parameters, asyncio.Future[list[Any]]]


class Meeting:
    """Those who share a transaction. For one event loop."""

    def __init__(self, transaction: Transaction, members: int, own: tuple[type[Exception], ...] = ()) -> None:
        """So many ``take_part``. What one of them raises makes all others fail, but for what is ``own``."""
        self._transaction = transaction
        self._members = members
        self._own = own
        self._turn = asyncio.Lock()
        self._asked: defaultdict[tuple[Joint, Hashable], list[_Ask]] = defaultdict(list)
        self._waiting = 0
        self._failed: BaseException | None = None

    async def take_part(self, act: Callable[[Transaction], Awaitable[R]]) -> R:
        """Do what one of them does."""
        try:
            async with self._turn:
                return await act(self._transaction.shared_by(self._ask))
        except BaseException as error:
            if not isinstance(error, self._own):
                self._fail(error)
            raise
        finally:
            self._members -= 1
            await self._go_on()

    def check(self) -> None:
        """Raise why nothing of what was written may be kept, where it may not."""
        if self._failed is not None:
            raise self._failed

    async def _ask(self, statement: Joint, parameters: Parameters) -> list[Any]:
        """The rows that are for whoever asks."""
        self.check()
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._asked[statement, statement.group(parameters)].append((parameters, answer))
        self._waiting += 1
        self._turn.release()
        try:
            await self._go_on()
            return await answer
        finally:
            await self._turn.acquire()

    async def _go_on(self) -> None:
        """Where all wait, the statement that takes its locks first is next."""
        if not self._waiting or self._waiting < self._members:
            return
        chosen = min(self._asked, key=lambda asked: asked[0].rank)
        asks = self._asked.pop(chosen)
        self._waiting -= len(asks)
        try:
            found = await self._rows(chosen[0], [parameters for parameters, _ in asks])
        except Exception as error:
            _refuse(asks, error)
            self._fail(error)
        else:
            for (_, answer), rows in zip(asks, found, strict=True):
                answer.set_result(rows)

    async def _rows(self, statement: Joint, asked: list[Parameters]) -> list[list[Any]]:
        if len(asked) == 1:
            return [await self._transaction.rows(statement.alone, asked[0])]
        listed = [
            {"number": number, **{name: value for name, value in each.items() if name != "workspace_id"}}
            for number, each in enumerate(asked)
        ]
        found: list[list[Any]] = [[] for _ in asked]
        common = statement.common(asked)
        for row in await self._transaction.rows(statement.together, {**common, "asked": to_json(listed)}):
            found[row.number].append(row)
        return found

    def _fail(self, error: BaseException) -> None:
        self._failed = self._failed or error
        for asks in self._asked.values():
            _refuse(asks, self._failed)
        self._asked.clear()
        self._waiting = 0


def _refuse(asks: list[_Ask], error: BaseException) -> None:
    for _, answer in asks:
        if not answer.done():
            answer.set_exception(error)
