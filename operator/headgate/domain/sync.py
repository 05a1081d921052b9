"""How far a copy between two systems has come, and what makes it another copy. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from headgate.api.sync import Sync


@dataclass(frozen=True)
class CursorName:
    """Whose a cursor is: unique in the workspace."""

    namespace: str
    workflow: str
    node: str
    """With a dot and the index behind it for an item of a node that runs for each of a list."""

    def __str__(self) -> str:
        """As people write it; no part of it can have a slash."""
        return f"{self.namespace}/{self.workflow}/{self.node}"


@dataclass(frozen=True)
class Reached:
    """A cursor, in the words of its source."""

    at: str | None = None
    """All up to there is written; None before the first batch."""
    until: str | None = None
    """Up to where a batch is being written that must be the same when it is written again."""


def digest(sync: Sync) -> str:
    """The same for copies of the same from the same place to the same place, however many records at once."""
    told = {"source": sync.source.to_wire(), "target": sync.target.to_wire()}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
