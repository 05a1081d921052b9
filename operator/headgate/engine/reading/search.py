"""Finds workflows, runs and recommendations by their words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.domain.ids import uuid7_time
from headgate.domain.search import Place, SearchKind, parse_place, words_of
from headgate.engine.archive.listing import ArchiveListing, Sought
from headgate.engine.archive.reading import ArchiveReader
from headgate.engine.context import Context
from headgate.objects.object_store import StoreUnavailable
from headgate.store import search
from headgate.store.database import Transaction

PAGE_SIZE = 500
"""How much is found at once at most."""


@dataclass(frozen=True)
class Hit:
    """Something that has the words."""

    kind: SearchKind
    namespace: str
    workflow: str
    at: datetime
    """When the run was asked for, the workflow's version was made, or it was recommended."""
    text: str
    """The error message of a run, the display name of a workflow, what is recommended."""
    run_id: UUID | None = None
    phase: RunPhase | None = None
    version: int | None = None
    node: str | None = None


@dataclass(frozen=True)
class Hits:
    """A page of what was found."""

    items: tuple[Hit, ...]
    next_cursor: str | None


class Search:
    """What is found is the workspace's own: where it lies is looked up for all, what it says under its policies."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def find(
        self, workspace_id: UUID, kind: SearchKind, query: str, cursor: str | None = None, limit: int = 50
    ) -> Hits:
        """What has all words of the query: runs the newest first, the others in the order in which they fit.

        Words in quotation marks stand next to each other, ``or`` stands between two of which one is enough, and what
        follows a ``-`` must be missing. Runs are looked for in the archive too, as lists are read on there: a page may
        have fewer than asked for where there is more. Raises as ``ArchiveReader`` does; ``ValueError``, with what to
        change, for a query without a word or that is too long, a limit that is no page's, and a cursor that is not one.
        """
        words = words_of(query)
        if not 1 <= limit <= PAGE_SIZE:
            raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
        match kind:
            case SearchKind.RUN:
                return await self._runs(workspace_id, words, cursor, limit)
            case SearchKind.WORKFLOW:
                return await self._ranked(
                    workspace_id,
                    words,
                    cursor,
                    limit,
                    lie=search.workflows,
                    read=search.found_workflows,
                    shown=_workflow,
                )
            case SearchKind.RECOMMENDATION:
                return await self._ranked(
                    workspace_id,
                    words,
                    cursor,
                    limit,
                    lie=search.recommendations,
                    read=search.found_recommendations,
                    shown=_recommendation,
                )

    async def _runs(self, workspace_id: UUID, words: str, cursor: str | None, limit: int) -> Hits:
        before = _position(cursor) if cursor is not None else None
        async with self._context.database.system() as tx:
            found = [(row.started_at, row.id) for row in await search.runs(tx, workspace_id, words, before, limit)]
        following = found[-1][1] if len(found) == limit else None
        archived = self._context.archive is not None
        if not found and not archived:
            return Hits((), None)
        listing = ArchiveListing(self._context, ArchiveReader(self._context, self._context.archive))
        last = before[1] if before is not None else None
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await search.found_runs(tx, workspace_id, found) if found else []
            holding = await listing.searched(tx, workspace_id, last, following) if archived else []
        if holding:

            async def having(messages: Mapping[UUID, str]) -> Sequence[UUID]:
                async with self._context.database.tenant(workspace_id) as tx:
                    return await search.having(tx, workspace_id, words, messages)

            try:
                page = await listing.found(Sought(workspace_id, last, following, having), rows, holding, limit=limit)
            except StoreUnavailable:
                # What the history has is found all the same; the page after it tells that the archive is away.
                following = following or (rows[-1].id if rows else None)
                if following is None:
                    raise
            else:
                rows, following = list(page.rows), page.next_cursor or following
        return Hits(tuple(_run(row) for row in rows), str(following) if following is not None else None)

    async def _ranked(
        self,
        workspace_id: UUID,
        words: str,
        cursor: str | None,
        limit: int,
        *,
        lie: Callable[[Transaction, UUID, str, Place | None, int], Awaitable[list[Place]]],
        read: Callable[[Transaction, UUID, Sequence[UUID]], Awaitable[list[Any]]],
        shown: Callable[[Any], Hit],
    ) -> Hits:
        """What fits best first: where it lies, by ``lie``, and what it says, by ``read``."""
        behind = parse_place(cursor) if cursor is not None else None
        async with self._context.database.system() as tx:
            places = await lie(tx, workspace_id, words, behind, limit)
        if not places:
            return Hits((), None)
        async with self._context.database.tenant(workspace_id) as tx:
            rows = {row.id: row for row in await read(tx, workspace_id, [place.id for place in places])}
        items = tuple(shown(rows[place.id]) for place in places if place.id in rows)
        return Hits(items, str(places[-1]) if len(places) == limit else None)


def _run(row: Any) -> Hit:
    at, phase = row.started_at.astimezone(UTC), RunPhase(row.status)
    return Hit(SearchKind.RUN, row.namespace, row.workflow, at, row.error_message, run_id=row.id, phase=phase)


def _workflow(row: Any) -> Hit:
    at = row.created_at.astimezone(UTC)
    return Hit(SearchKind.WORKFLOW, row.namespace, row.name, at, row.display_name or "", version=row.number)


def _recommendation(row: Any) -> Hit:
    at = row.made_at.astimezone(UTC)
    return Hit(SearchKind.RECOMMENDATION, row.namespace, row.name, at, row.message, node=row.node)


def _position(cursor: str) -> tuple[datetime, UUID]:
    """Where a page of runs begins: the id of the run before it, in which its time is."""
    try:
        run_id = UUID(cursor)
        return uuid7_time(run_id), run_id
    except (ValueError, OverflowError):
        raise ValueError("the cursor is not one that a search gave") from None
