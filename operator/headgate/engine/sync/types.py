"""What copies are to those who look at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from headgate.domain.sync import CursorName, Reached


@dataclass(frozen=True)
class CursorView:
    """How far the copy of a node has come."""

    name: CursorName
    reached: Reached
    """At the beginning in a list, which tells no places."""
    batches: int
    records: int
    run_id: UUID
    attempt: int
    """The attempt that had it last, of that run."""
    held: bool
    """Whether that attempt is under lease."""
    updated_at: datetime


@dataclass(frozen=True)
class CursorPage:
    """Part of a list, by namespace, workflow and node."""

    cursors: tuple[CursorView, ...]
    next_cursor: str | None
    """Gives the next part, or None at the end."""


class CursorHeld(Exception):  # noqa: N818 - a state of the world, not a mistake
    """An attempt copies right now. Nothing was changed."""

    def __init__(self, view: CursorView) -> None:
        super().__init__(
            f"attempt {view.attempt} of node {view.name.node} in run {view.run_id} copies right now: wait for its end, "
            "or cancel that run"
        )
