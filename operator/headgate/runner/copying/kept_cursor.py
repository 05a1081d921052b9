"""The cursor of an attempt's copy, which the gateway keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from headgate.domain.runner_protocol import Mark, Task
from headgate.runner.client import GatewayRefused, GatewayUnavailable, NotOurs, patiently
from headgate.runner.errors import NodeFailed

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
"""How long the gateway may be away while a copy needs it."""


class Cursors(Protocol):
    """Where cursors are kept; see ``Gateway``."""

    async def cursor(self, task: Task) -> Mark:
        """How far the attempt's copy has come."""
        ...

    async def move_cursor(self, task: Task, mark: Mark, records: int) -> None:
        """It has come that far."""
        ...


class NoCursors:
    """Of somebody who keeps none."""

    async def cursor(self, task: Task) -> Mark:
        """None."""
        raise GatewayRefused(f"no cursor is kept for node {task.node}")

    async def move_cursor(self, task: Task, mark: Mark, records: int) -> None:
        """None."""
        raise GatewayRefused(f"no cursor is kept for node {task.node}")


@dataclass(frozen=True)
class KeptCursor:
    """As ``Cursor`` of a copy has it."""

    cursors: Cursors
    task: Task

    async def take(self) -> Mark:
        """How far the copy has come. Raises ``NodeFailed``."""
        return await _told(lambda: self.cursors.cursor(self.task))

    async def move(self, mark: Mark, records: int) -> None:
        """It has come that far. Raises ``NodeFailed``."""
        await _told(lambda: self.cursors.move_cursor(self.task, mark, records))


async def _told(ask: Callable[[], Awaitable[T]]) -> T:
    try:
        return await patiently(ask, sleep=asyncio.sleep, patience=PATIENCE_SECONDS)
    except (GatewayRefused, GatewayUnavailable, NotOurs) as refused:
        raise NodeFailed("CursorRefused", f"the copy was not given its cursor: {refused}") from None
