"""Goes on with a list of runs, or what a search finds, where the history ends: in the archive, in one order."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from headgate.domain.ids import uuid7
from headgate.engine.archive.reading import ArchiveReader, Having, Shown
from headgate.engine.context import Context
from headgate.engine.views import RunFilter
from headgate.objects.parquet import Row
from headgate.store.archive import names, parts
from headgate.store.archive.parts import Part
from headgate.store.database import Transaction

MOST_PARTS = 4
"""Parts that are read for one page: where few of their runs are asked for, pages are short."""
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)
_NO_RANDOMNESS = bytes(10)
_BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Page:
    """Rows as the history gives them, and where the next page begins."""

    rows: Sequence[Any]
    next_cursor: UUID | None


@dataclass(frozen=True)
class Asked:
    """What a page is of."""

    workspace_id: UUID
    filters: RunFilter
    before: UUID | None
    limit: int


@dataclass(frozen=True)
class Sought:
    """What is searched for."""

    workspace_id: UUID
    before: UUID | None
    after: UUID | None
    """Older runs are of a later page, which the history begins."""
    having: Having
    """Which of some messages, by the ids of their runs, have the words."""


class ArchiveListing:
    """Lists archived runs beside those that are not. Raises as ``ArchiveReader`` does."""

    def __init__(self, context: Context, reader: ArchiveReader) -> None:
        self._context = context
        self._reader = reader

    async def holding(self, tx: Transaction, asked: Asked, hot: Sequence[Any]) -> list[Part]:
        """Parts in which runs of a page may be, given those that the history has of it. One statement."""
        filters = asked.filters
        first = hot[-1].id if len(hot) == asked.limit else _bound(filters.since, _FIRST)
        last = min(asked.before or _LAST, _bound(filters.until, _LAST))
        return await parts.holding(tx, asked.workspace_id, first, last, MOST_PARTS + 1)

    async def searched(
        self, tx: Transaction, workspace_id: UUID, before: UUID | None, first: UUID | None
    ) -> list[Part]:
        """Parts in which runs from ``first`` up to ``before`` may be. One statement."""
        return await parts.holding(tx, workspace_id, first or _FIRST, before or _LAST, MOST_PARTS + 1)

    async def page(self, asked: Asked, hot: Sequence[Any], holding: Sequence[Part]) -> Page:
        """The page, of what the history has and what these parts have.

        A run that is in both is in it once. After ``MOST_PARTS`` parts the page ends where they do.
        """
        fits = _chosen(asked, await self._workflow(asked))

        async def rows(part: Part) -> list[Row]:
            return await self._reader.listed(part, _chosen_by(asked.filters), fits, asked.limit)

        return await self._gathered(asked.workspace_id, asked.limit, hot, holding, rows)

    async def found(self, sought: Sought, hot: Sequence[Any], holding: Sequence[Part], *, limit: int) -> Page:
        """The page of what a search finds, as ``page`` has it of a list."""

        async def rows(part: Part) -> list[Row]:
            return await self._reader.with_words(
                part, (sought.after or _FIRST, sought.before or _LAST), sought.having, limit
            )

        return await self._gathered(sought.workspace_id, limit, hot, holding, rows)

    async def _gathered(
        self,
        workspace_id: UUID,
        limit: int,
        hot: Sequence[Any],
        holding: Sequence[Part],
        rows: Callable[[Part], Awaitable[list[Row]]],
    ) -> Page:
        found = {row.id: row for row in hot}
        end = None
        for index, part in enumerate(holding):
            last = part.last_run or _LAST
            if sum(run_id > last for run_id in found) >= limit:
                break
            if index == MOST_PARTS:
                end = last
                break
            for row in await rows(part):
                found.setdefault(UUID(row["id"]), row)
        ids = sorted((run_id for run_id in found if end is None or run_id > end), reverse=True)[:limit]
        shown = await self._named(workspace_id, [found[run_id] for run_id in ids])
        if len(ids) == limit:
            return Page(shown, ids[-1])
        return Page(shown, None if end is None else UUID(int=end.int + 1))

    async def _workflow(self, asked: Asked) -> str | None:
        if asked.filters.workflow is None:
            return None
        async with self._context.database.tenant(asked.workspace_id) as tx:
            return str(await names.workflow_id(tx, asked.workspace_id, *asked.filters.workflow))

    async def _named(self, workspace_id: UUID, rows: Sequence[Any]) -> list[Any]:
        """The rows in the form of the history, those of the archive with what their runs ran."""
        wanted = {UUID(row["version_id"]) for row in rows if isinstance(row, dict)}
        if not wanted:
            return list(rows)
        async with self._context.database.tenant(workspace_id) as tx:
            known = await names.versions(tx, workspace_id, wanted)
        return [_shown(row, known) if isinstance(row, dict) else row for row in rows]


def _bound(moment: datetime | None, otherwise: UUID) -> UUID:
    """The first id that a run of that moment could have."""
    if moment is None:
        return otherwise
    try:
        return uuid7(moment.astimezone(UTC), _NO_RANDOMNESS)
    except (ValueError, OverflowError):
        return _FIRST if moment < _BEFORE_ALL else _LAST


def _chosen_by(filters: RunFilter) -> tuple[str, ...]:
    """The columns by which runs are chosen. When they were asked for is in their ids."""
    given = {"status": filters.phases, "workflow_id": filters.workflow, "labels": filters.labels}
    return tuple(column for column, wanted in given.items() if wanted)


def _chosen(asked: Asked, workflow_id: str | None) -> Callable[[Row], bool]:
    """Whether a run is one that was asked for."""
    filters = asked.filters
    # Ids as texts are in the order of the ids.
    first = str(_bound(filters.since, _FIRST))
    end = str(min(asked.before or _LAST, _bound(filters.until, _LAST)))
    phases, labels = {phase.value for phase in filters.phases}, dict(filters.labels).items()

    def fits(row: Row) -> bool:
        return (
            first <= row["id"] < end
            and (not phases or row["status"] in phases)
            and (workflow_id is None or row["workflow_id"] == workflow_id)
            and (not labels or labels <= json.loads(row["labels"]).items())
        )

    return fits


def _shown(row: Row, known: dict[UUID, Any]) -> Any:
    version = known[UUID(row["version_id"])]
    values = {**row, "id": UUID(row["id"]), "labels": json.loads(row["labels"]), "waiting_reason": None}
    return Shown({**values, "namespace": version.namespace, "workflow": version.name, "version": version.number})
