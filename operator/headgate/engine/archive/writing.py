"""Writes a part of the archive, reads it back, and says so."""

from __future__ import annotations

from uuid import UUID

from headgate.domain.archive import files_of_record
from headgate.engine.archive.files import ArchiveDamaged, ArchiveFiles
from headgate.engine.archive.kind import C, Kind, NotArchived, P, W


async def write(kind: Kind[P, C, W], files: ArchiveFiles, workspace_id: UUID, part: P) -> int:
    """Write a part that was begun. Returns how much is in it: nothing where there is nothing left to go.

    It may be killed and repeated anywhere: nothing counts before it was read back, and what was written by one who was
    killed, or came second, is deleted. Raises ``NotArchived``, ``ArchiveDamaged`` and ``StoreUnavailable``.
    """
    chosen = await kind.choose(workspace_id, part)
    recorded = False
    if chosen:
        try:
            written = await kind.write(files, workspace_id, part, chosen)
        except (ArchiveDamaged, NotArchived):
            # Another process may have been faster, and removed what was being read.
            known = await kind.known(workspace_id, part)
            if known is not None and known.files is None:
                raise
        else:
            recorded = await kind.record(workspace_id, part, written)
    await _clear(kind, files, workspace_id, part)
    return len(chosen) if recorded else 0


async def _clear(kind: Kind[P, C, W], files: ArchiveFiles, workspace_id: UUID, part: P) -> None:
    """Delete what was written of the part and does not count: by who was killed, or came second."""
    known = await kind.known(workspace_id, part)
    if known is not None and known.files is None:
        return
    kept = files_of_record(known.files) if known is not None and known.files is not None else {}
    keep = frozenset(file.path for file in kept.values())
    for folder in kind.folders:
        await files.clear(workspace_id, folder, part.month, part.id, keep)
