"""Writes a part of the archive, reads it back, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.domain.archive import (
    MANIFEST,
    RUNS,
    STEPS,
    ArchivedFile,
    Manifest,
    Sized,
    cut,
    files_of_record,
    files_to_record,
    month_of,
    pages,
    stored_bytes,
)
from headgate.engine.archive.files import ArchiveDamaged, ArchiveFiles
from headgate.engine.context import Context
from headgate.store.archive import choosing, parts
from headgate.store.archive.columns import FORMS
from headgate.store.archive.parts import Part, Written

MOST_RUNS = 5000
"""Runs of a part."""
MOST_STEPS = 20_000
"""Steps of a part."""
MOST_BYTES = 16 * 2**20
"""Bytes of a part, about, as text: it is in memory as it is written, and as it is read."""
_PAGE_STEPS, _PAGE_BYTES = 2000, 2 * 2**20
_WAIT_SECONDS = 0.05
_WAITS = 600


class HeldUp(Exception):  # noqa: N818 - reads as what it says
    """A transaction is under way for so long that nothing can be archived: try again later."""


async def begin(context: Context, workspace_id: UUID, ended_before: datetime) -> Part | None:
    """The part that is written next, of runs that ended before then: one that was begun, or a new one.

    None where no run may go.
    """
    now = context.now()
    async with context.database.tenant(workspace_id) as tx:
        begun = await parts.in_state(tx, workspace_id, "Writing")
        if begun:
            return begun[0]
        of = await choosing.tree(tx, workspace_id)
        oldest = await choosing.oldest(tx, workspace_id, ended_before, of)
        if oldest is None:
            return None
        # Another one may just have begun one: then that is written in its next round.
        return await parts.begin(tx, workspace_id, context.new_id(now), month_of(oldest), ended_before, now)


async def write(context: Context, files: ArchiveFiles, workspace_id: UUID, part: Part) -> int:
    """Write a part that was begun. Returns how many runs are in it: none where there is none left to go.

    It may be killed and repeated anywhere: nothing counts before it was read back, and what was written by one who was
    killed, or came second, is deleted. Raises ``HeldUp``, ``ArchiveDamaged`` and ``StoreUnavailable``.
    """
    await _until_settled(context, workspace_id)
    async with context.database.tenant(workspace_id) as tx:
        of = await choosing.tree(tx, workspace_id)
        found = await choosing.choice(tx, workspace_id, part.month, part.ended_before, of, MOST_RUNS)
        if not found:
            await parts.abandon(tx, workspace_id, part.id)
    recorded = False
    runs = cut(found, most_bytes=MOST_BYTES, most_steps=MOST_STEPS)
    if runs:
        try:
            written = await _written(context, files, workspace_id, part, runs)
        except ArchiveDamaged:
            # Another process may have been faster, and removed what was being read.
            if await _is_being_written(context, workspace_id, part):
                raise
        else:
            async with context.database.tenant(workspace_id) as tx:
                recorded = await parts.verified(tx, workspace_id, part.id, written, context.now())
    await _clear(context, files, workspace_id, part)
    return len(runs) if recorded else 0


async def _is_being_written(context: Context, workspace_id: UUID, part: Part) -> bool:
    async with context.database.tenant(workspace_id) as tx:
        known = await parts.one(tx, workspace_id, part.id)
    return known is not None and known.files is None


async def _until_settled(context: Context, workspace_id: UUID) -> None:
    """Wait until whoever changes what is to be archived, and did not know that it is, has done so."""
    async with context.database.tenant(workspace_id) as tx:
        unused = await parts.unused_transaction(tx)
    for _ in range(_WAITS):
        async with context.database.tenant(workspace_id) as tx:
            if await parts.settled_transaction(tx) >= unused:
                return
        await asyncio.sleep(_WAIT_SECONDS)
    raise HeldUp("a transaction of another program has been under way for too long: nothing is archived meanwhile")


@dataclass(frozen=True)
class _Read:
    """What is to be written, in pages."""

    rows: dict[str, list[Sequence[Any]]]
    stored: int
    logs: int


async def _written(
    context: Context, files: ArchiveFiles, workspace_id: UUID, part: Part, runs: Sequence[Sized]
) -> Written:
    """Write the runs' files, and read them back."""
    read = await _read(context, workspace_id, part, runs)
    written = {
        kind: await files.put_rows(workspace_id, kind, part.month, part.id, FORMS[kind], pages_)
        for kind, pages_ in read.rows.items()
    }
    await _verify(files, written, runs)
    first, last = runs[0].run_id, runs[-1].run_id
    manifest = Manifest(workspace_id, part.id, part.month, first, last, written).to_bytes()
    written[MANIFEST] = await files.put_manifest(workspace_id, RUNS, part.month, part.id, manifest)
    record = files_to_record(written)
    return Written(first, last, len(runs), written[STEPS].rows, read.stored, read.logs, record)


async def _read(context: Context, workspace_id: UUID, part: Part, runs: Sequence[Sized]) -> _Read:
    rows: dict[str, list[Sequence[Any]]] = {RUNS: [], STEPS: []}
    stored = logs = 0
    for page in pages(runs, most_bytes=_PAGE_BYTES, most_steps=_PAGE_STEPS):
        async with context.database.tenant(workspace_id) as tx:
            for kind, read in rows.items():
                read.append(await choosing.rows(tx, kind, workspace_id, part.month, page))
        # A run that never started was not counted.
        stored += sum(
            stored_bytes(run.inputs) + stored_bytes(run.event)
            for run in rows[RUNS][-1]
            if run.running_since is not None
        )
        stored += sum(stored_bytes(step.output) for step in rows[STEPS][-1])
        logs += sum(step.log_bytes or 0 for step in rows[STEPS][-1])
    return _Read(rows, stored, logs)


async def _verify(files: ArchiveFiles, written: Mapping[str, ArchivedFile], runs: Sequence[Sized]) -> None:
    """Read what was written, as whoever reads it later does. Raises ``ArchiveDamaged``."""
    found = [row["id"] for row in await files.rows(written[RUNS], ("id",), by="id")]
    if found != [str(run.run_id) for run in runs]:
        raise ArchiveDamaged(f"a file of the archive has other runs than were written: {written[RUNS].path}")
    steps = len(await files.rows(written[STEPS], ("execution_id",), by="execution_id"))
    if steps != written[STEPS].rows or steps != sum(run.steps for run in runs):
        raise ArchiveDamaged(f"a file of the archive has other steps than were written: {written[STEPS].path}")


async def _clear(context: Context, files: ArchiveFiles, workspace_id: UUID, part: Part) -> None:
    """Delete what was written of the part and does not count: by who was killed, or came second."""
    async with context.database.tenant(workspace_id) as tx:
        known = await parts.one(tx, workspace_id, part.id)
    if known is not None and known.files is None:
        return
    kept = files_of_record(known.files) if known is not None and known.files is not None else {}
    keep = frozenset(file.path for file in kept.values())
    for kind in (RUNS, STEPS):
        await files.clear(workspace_id, kind, part.month, part.id, keep)
