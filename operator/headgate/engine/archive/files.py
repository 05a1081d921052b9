"""Files of the archive, in the object store and out of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from headgate.domain.archive import ArchivedFile, Form, part_path, part_prefix
from headgate.objects import parquet
from headgate.objects.object_store import ObjectMissing, ObjectStore
from headgate.objects.parquet import NotParquet, Row


class ArchiveDamaged(Exception):  # noqa: N818 - reads as what it says
    """A file of the archive is not what was written. The message names it by its path in the archive."""


class ArchiveFiles:
    """Writes files, and gives what was written or nothing. All methods raise ``StoreUnavailable``."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def put_rows(
        self,
        workspace_id: UUID,
        kind: str,
        month: date,
        part_id: UUID,
        columns: Mapping[str, Form],
        pages: Sequence[Sequence[Sequence[Any]]],
    ) -> ArchivedFile:
        """Write rows, in pages, as a file of a part."""
        content = await asyncio.to_thread(parquet.encode, columns, pages)
        path = part_path(workspace_id, kind, month, part_id, content, "parquet")
        await self._objects.put(path, content)
        return ArchivedFile.of(path, sum(len(page) for page in pages), content)

    async def put_manifest(
        self, workspace_id: UUID, kind: str, month: date, part_id: UUID, content: bytes
    ) -> ArchivedFile:
        """Write what is in a part beside its files."""
        path = part_path(workspace_id, kind, month, part_id, content, "json")
        await self._objects.put(path, content)
        return ArchivedFile.of(path, 1, content)

    async def rows(
        self, file: ArchivedFile, columns: Iterable[str], *, by: str, wanted: frozenset[str] | None = None
    ) -> list[Row]:
        """Rows of a file; with ``wanted``, those whose column ``by`` is one of them. Raises ``ArchiveDamaged``."""
        return await self.decoded(file, await self.content(file), columns, by=by, wanted=wanted)

    async def content(self, file: ArchivedFile) -> bytes:
        """A file as it was written. Raises ``ArchiveDamaged``."""
        try:
            content = await self._objects.get(file.path)
        except ObjectMissing:
            raise ArchiveDamaged(f"a file of the archive is missing: {file.path}") from None
        if not await asyncio.to_thread(file.fits, content):
            raise ArchiveDamaged(f"a file of the archive has another checksum than was recorded: {file.path}")
        return content

    async def decoded(
        self,
        file: ArchivedFile,
        content: bytes,
        columns: Iterable[str],
        *,
        by: str,
        wanted: frozenset[str] | None = None,
    ) -> list[Row]:
        """``rows`` of a file whose content is known."""
        try:
            return await asyncio.to_thread(parquet.decode, content, columns, by=by, wanted=wanted)
        except NotParquet as error:
            raise ArchiveDamaged(f"{error}: {file.path}") from None

    async def is_there(self, file: ArchivedFile) -> bool:
        """Whether there is such a file."""
        try:
            await self._objects.get(file.path, 0, 1)
        except ObjectMissing:
            return False
        return True

    async def clear(
        self, workspace_id: UUID, kind: str, month: date, part_id: UUID, keep: frozenset[str] = frozenset()
    ) -> None:
        """Delete what was ever written of a kind of a part, but for the paths to keep."""
        found = [item async for item in self._objects.list(part_prefix(workspace_id, kind, month, part_id))]
        for item in found:
            if item.path not in keep:
                await self._objects.delete(item.path)
