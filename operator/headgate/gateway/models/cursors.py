"""How far copies have come, as the API gives it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.engine.sync.types import CursorPage, CursorView
from headgate.gateway.models.base import ApiModel


class CopyCursor(ApiModel):
    """How far the copy of a node has come."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The node; of one that runs for each item of a list, with a dot and the item's index behind it."""
    batches: int
    """How many batches were written, since it began at the beginning."""
    records: int
    """How many records these had."""
    run_id: UUID
    """The run that copied last."""
    attempt: int
    """Which attempt of the node in that run."""
    held: bool
    """Whether that attempt copies right now. It cannot be reset then."""
    updated_at: datetime
    """When it was taken or moved last."""


class CopyCursorDetail(CopyCursor):
    """How far the copy of a node has come, and where it stands in the words of its source."""

    reached: str | None
    """All up to there is written: values of columns, offsets by partition, or a member of an item; null before that."""
    pending: str | None
    """Up to where a batch is being written that will be the same when it is written again; null where there is none."""


class CopyCursorList(ApiModel):
    """A page of cursors, by namespace, workflow and node."""

    items: tuple[CopyCursor, ...]
    """The cursors."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


def cursor_of(view: CursorView) -> CopyCursorDetail:
    """The cursor as the API gives it."""
    return CopyCursorDetail(**_members(view), reached=view.reached.at, pending=view.reached.until)


def cursors_of(page: CursorPage) -> CopyCursorList:
    """The page as the API gives it."""
    items = tuple(CopyCursor(**_members(view)) for view in page.cursors)
    return CopyCursorList(items=items, next_cursor=page.next_cursor)


def _members(view: CursorView) -> dict[str, Any]:
    seen = {name: value for name, value in vars(view).items() if name not in ("name", "reached")}
    return {**vars(view.name), **seen}
