"""What goes from a source to a target."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from headgate.runner.errors import NodeFailed

BATCH_BYTES = 8_388_608
"""A batch ends with the record by which it has so many bytes: it is held in memory."""
INVALID = "InvalidRecord"


@dataclass(frozen=True)
class Batch:
    """Records that come after a mark, and the mark behind them."""

    records: tuple[str, ...]
    """JSON objects as texts, so that no number loses a digit on the way. None where nothing new is copied."""
    mark: str | None
    """JSON, in the words of the source. None, or that before the batch, where there is nothing new at all."""


class Source(Protocol):
    """Gives records in an order in which what is new comes last. Raises ``NodeFailed``."""

    async def read(self, after: str | None, limit: int, until: str | None = None) -> Batch:
        """About so many records after a mark or, where there is none, from the beginning.

        With ``until``, all up to that mark, as far as they are there still.
        """
        ...


class Target(Protocol):
    """Takes records. Raises ``NodeFailed``."""

    @property
    def by_range(self) -> bool:
        """Whether a batch that is written again must be of the same range to be the same as before."""
        ...

    async def write(self, batch: Batch, after: str | None) -> None:
        """Write a batch that comes after a mark; when it returns, all of it stays written."""
        ...


def parsed(record: str) -> dict[str, Any]:
    """The members of a record. Raises ``NodeFailed``."""
    try:
        found = json.loads(record)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NodeFailed(INVALID, "a record is no JSON object")
    return found


def marked(value: Any) -> str:
    """A mark as text."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
