"""Files that attempts left: which there are, and where they lie."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from headgate.engine.archive.reading import ArchiveReader, Shown
from headgate.engine.context import Context, run_key
from headgate.engine.types import TaskRef
from headgate.store import artifacts

PAGE_SIZE = 500
"""Files in a page of a list at most."""
Place = tuple[str, int, str]
"""Node, attempt and name, by which lists are ordered."""
_FIRST: Place = ("", 0, "")
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Artifact:
    """A file that an attempt left."""

    ref: TaskRef
    name: str
    size: int
    """In bytes."""
    sha256: str
    content_type: str
    path: str
    """In the object store."""
    created_at: datetime


@dataclass(frozen=True)
class ArtifactPage:
    """Part of a list, by node, attempt and name."""

    items: tuple[Artifact, ...]
    next_cursor: str | None
    """Gives the next part, or None at the end."""


class Artifacts:
    """Knows of files. Methods raise ``DatabaseUnavailable`` and, of archived runs, what ``ArchiveReader`` raises."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def list(self, workspace_id: UUID, run_id: UUID, after: str | None = None, limit: int = 50) -> ArtifactPage:
        """Files of the run by node, attempt and name. ``limit`` is from 1 to ``PAGE_SIZE``.

        Raises ``ValueError`` for what no list gave as the next one's beginning, or another limit.
        """
        if not 1 <= limit <= PAGE_SIZE:
            raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
        place = _FIRST if after is None else _place(after)
        key = run_key(workspace_id, run_id)
        if key is None:
            return ArtifactPage((), None)
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await artifacts.page(tx, key, place, limit)
        if not rows:
            behind = [row for row in await self._archived(workspace_id, run_id) if _place_of(row) > place]
            rows = sorted(behind, key=_place_of)[:limit]
        found = tuple(_artifact(row, workspace_id, run_id) for row in rows)
        return ArtifactPage(found, json.dumps(_place_of(rows[-1])) if len(rows) == limit else None)

    async def one(
        self, workspace_id: UUID, run_id: UUID, node: str, name: str, attempt: int | None = None
    ) -> Artifact | None:
        """The file of that name, of the node's latest attempt that left one unless one is named."""
        key = run_key(workspace_id, run_id)
        if key is None:
            return None
        async with self._context.database.tenant(workspace_id) as tx:
            row = await artifacts.one(tx, key, node, name, attempt)
        if row is None:
            wanted = [
                row
                for row in await self._archived(workspace_id, run_id)
                if (row.node, row.name) == (node, name) and attempt in (None, row.attempt)
            ]
            row = max(wanted, key=lambda row: row.attempt, default=None)
        return None if row is None else _artifact(row, workspace_id, run_id)

    async def _archived(self, workspace_id: UUID, run_id: UUID) -> Sequence[Any]:
        found: Sequence[Mapping[str, Any]] = await ArchiveReader(self._context, self._context.archive).artifacts(
            workspace_id, run_id
        )
        return [Shown(row) for row in found]


def _artifact(row: Any, workspace_id: UUID, run_id: UUID) -> Artifact:
    return Artifact(
        TaskRef(workspace_id, run_id, row.node, row.attempt),
        row.name,
        row.bytes,
        row.sha256,
        row.content_type,
        row.path,
        row.created_at.astimezone(UTC),
    )


def _place_of(row: Any) -> Place:
    return row.node, row.attempt, row.name


def _place(cursor: str) -> Place:
    try:
        members = json.loads(cursor)
    except (ValueError, RecursionError):
        members = None
    match members:
        case [str(node), int(attempt), str(name)] if 0 < attempt <= _LARGEST and "\0" not in node + name:
            return node, attempt, name
    raise ValueError("the cursor is not one that a list gave")
