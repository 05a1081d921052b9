"""Reads archived entries of audit logs, in the form in which Postgres gives those that are not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from headgate.domain.archive import AUDIT, ArchivedFile, files_of_record
from headgate.domain.audit import Entry
from headgate.engine.archive.files import ArchiveDamaged, ArchiveFiles
from headgate.engine.archive.reading import NoArchive
from headgate.engine.context import Context
from headgate.objects.parquet import Row
from headgate.store.archive import audit_parts
from headgate.store.archive.audit_parts import AuditPart
from headgate.store.audit import Filters
from headgate.store.database import Transaction

MOST_PARTS = 4
"""Parts that are read for one page: where few of their entries are asked for, pages are short."""


@dataclass(frozen=True)
class Rest:
    """What the archive adds to a page of a list."""

    entries: Sequence[Entry]
    next_before: int | None
    """Where to go on when the page is not full yet; None where there is no more."""


class ArchivedEntries:
    """Finds entries in the archive. Methods raise ``StoreUnavailable``, ``ArchiveDamaged`` and ``NoArchive``."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = ArchiveFiles(context.archive) if context.archive is not None else None

    @property
    def is_known(self) -> bool:
        """Whether this program was told where the archive is."""
        return self._files is not None

    async def in_order(self, workspace_id: UUID, after: int, last: int) -> AsyncIterator[Sequence[Entry]]:
        """Entries with numbers after one and up to another one, part by part: what is missing is not told."""
        async with self._context.database.tenant(workspace_id) as tx:
            parts = await audit_parts.in_state(tx, workspace_id, "Removed")
        for part in parts:
            if (part.last_sequence or 0) > after and (part.first_sequence or 0) <= last:
                found = [each for each in await self._of(part) if after < each.sequence <= last]
                if found:
                    yield found

    async def holding(self, tx: Transaction, workspace_id: UUID, filters: Filters, before: int) -> Sequence[AuditPart]:
        """Parts in which entries before that number may be that fit. One statement."""
        return await audit_parts.holding(tx, workspace_id, before, filters.since, filters.until, MOST_PARTS + 1)

    async def rest(
        self, holding: Sequence[AuditPart], filters: Filters, before: int, known: Collection[int], limit: int
    ) -> Rest:
        """Up to ``limit`` entries of these parts before that number that fit and are not known, the newest first."""
        found: list[Entry] = []
        for part in holding[:MOST_PARTS]:
            for entry in reversed(await self._of(part)):
                if entry.sequence < before and entry.sequence not in known and filters.fit(entry):
                    found.append(entry)
                    if len(found) == limit:
                        return Rest(found, entry.sequence)
        return Rest(found, holding[MOST_PARTS - 1].first_sequence if len(holding) > MOST_PARTS else None)

    async def _of(self, part: AuditPart) -> Sequence[Entry]:
        if self._files is None:
            raise NoArchive("the entries are in the archive, which cannot be read from here")
        return await entries_of(self._files, files_of_record(part.files or {})[AUDIT])


async def entries_of(files: ArchiveFiles, file: ArchivedFile) -> Sequence[Entry]:
    """The entries of a file, in its order. Raises ``ArchiveDamaged``."""
    found: list[Entry] = []
    try:
        for row in await files.rows(file, _COLUMNS, by="sequence"):
            found.append(_entry(row, found[-1].hash if found else None))
    except (TypeError, ValueError):
        raise ArchiveDamaged(f"a file of the archive has no entries as they were written: {file.path}") from None
    return found


_COLUMNS = tuple(field.name for field in fields(Entry))
_TYPES = {"sequence": int, "at": datetime}


def _entry(row: Row, before: bytes | None) -> Entry:
    """An entry of a file, which leaves out the hash of the entry before where that is ``before``."""
    if row["previous_hash"] is None and before is not None:
        row = {**row, "previous_hash": before.hex()}
    for name, value in row.items():
        if not isinstance(value, _TYPES.get(name, str)):
            raise TypeError(name)
    hashes = {name: bytes.fromhex(row[name].removeprefix("\\x")) for name in ("previous_hash", "hash")}
    return Entry(**{**row, **hashes, "workspace_id": UUID(row["workspace_id"])})
