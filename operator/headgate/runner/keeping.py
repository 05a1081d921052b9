"""Sends the files that a script left to the gateway: all of them, or the attempt fails and leaves none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from headgate.domain.artifacts import INVALID
from headgate.domain.runner_protocol import Task
from headgate.runner.client import ArtifactRefused, GatewayRefused, GatewayUnavailable, NotOurs, patiently
from headgate.runner.errors import NodeFailed
from headgate.runner.left import Left
from headgate.runner.secrets import Redactor

T = TypeVar("T")
PATIENCE_SECONDS = 120.0
"""How long the gateway, or its object store, may be away when a file is to be sent."""
NOT_KEPT = "ArtifactsNotKept"


class Shelf(Protocol):
    """Where files are kept; see ``Gateway``. Methods raise ``ArtifactRefused`` and what ``Gateway`` raises."""

    async def announce(self, task: Task, sizes: Sequence[int]) -> None:
        """Tell of the files that are to come."""
        ...

    async def send(self, task: Task, file: Left) -> None:
        """Send one of them."""
        ...


class NoShelf:
    """Of a runner that has none."""

    async def announce(self, _task: Task, _sizes: Sequence[int]) -> None:
        """Refuse."""
        raise GatewayRefused("this runner has nowhere to keep files")

    async def send(self, _task: Task, _file: Left) -> None:
        """Refuse."""
        raise GatewayRefused("this runner has nowhere to keep files")


async def keep(
    shelf: Shelf,
    task: Task,
    files: Sequence[Left],
    redactor: Redactor,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Send the files of an attempt. Raises ``NodeFailed``, after which none of them is kept.

    They are sent as they are: what a script writes into a file of its own, it means to be read.
    """
    for file in files:
        if redactor.text(file.name) != file.name:
            raise NodeFailed(INVALID, "the name of a file in $HEADGATE_ARTIFACTS holds a secret")

    async def patient(ask: Callable[[], Awaitable[T]]) -> T:
        return await patiently(ask, sleep=sleep, patience=PATIENCE_SECONDS)

    try:
        await patient(lambda: shelf.announce(task, [file.size for file in files]))
        for file in files:
            await patient(lambda file=file: shelf.send(task, file))  # type: ignore[misc]
    except (ArtifactRefused, GatewayRefused, GatewayUnavailable, NotOurs, NodeFailed) as error:
        # What came before takes room that the next attempt needs. Where this is not heard, it stays with the attempt.
        with contextlib.suppress(ArtifactRefused, GatewayRefused, GatewayUnavailable, NotOurs):
            await shelf.announce(task, ())
        raise _failed(error) from None


def _failed(error: Exception) -> NodeFailed:
    match error:
        case NodeFailed():
            return error
        case ArtifactRefused():
            return NodeFailed(error.reason, error.detail)
        case _:
            return NodeFailed(NOT_KEPT, f"what the script left in $HEADGATE_ARTIFACTS is not kept: {error}")
