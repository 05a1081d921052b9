"""Runs that ended long ago, with their steps, as what moves to the archive."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.domain.archive import (
    ARTIFACTS,
    MANIFEST,
    RUNS,
    STEPS,
    ArchivedFile,
    Manifest,
    Sized,
    cut,
    files_to_record,
    month_of,
    pages,
    stored_bytes,
)
from headgate.engine.archive import removing
from headgate.engine.archive.files import ArchiveDamaged, ArchiveFiles
from headgate.engine.archive.kind import NotArchived, Tidied
from headgate.engine.context import Context
from headgate.objects.object_store import ObjectStore
from headgate.store.archive import choosing, parts
from headgate.store.archive.choosing import Policy
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
_SHORTEST = timedelta(days=1)
"""What ended later may still get its log."""


class Runs:
    """Runs and steps. See ``Kind``."""

    folders = (RUNS, STEPS, ARTIFACTS)

    def __init__(self, context: Context, logs: ObjectStore | None) -> None:
        self._context = context
        self._logs = logs

    async def begin(self, workspace_id: UUID, policy: Policy, now: datetime) -> Part | None:
        """The part that is written next, of runs whose retention has passed: one that was begun, or a new one."""
        ended_before, now = now - max(policy.executions, _SHORTEST), self._context.now()
        async with self._context.database.tenant(workspace_id) as tx:
            begun = await parts.in_state(tx, workspace_id, "Writing")
            if begun:
                return begun[0]
            of = await choosing.tree(tx, workspace_id)
            oldest = await choosing.oldest(tx, workspace_id, ended_before, of)
            if oldest is None:
                return None
            # Another one may just have begun one: then that is written in its next round.
            part_id = self._context.new_id(now)
            return await parts.begin(tx, workspace_id, part_id, month_of(oldest), ended_before, now)

    async def choose(self, workspace_id: UUID, part: Part) -> Sequence[Sized]:
        """The part's runs, now that nobody changes them any more."""
        await self._until_settled(workspace_id)
        async with self._context.database.tenant(workspace_id) as tx:
            of = await choosing.tree(tx, workspace_id)
            found = await choosing.choice(tx, workspace_id, part.month, part.ended_before, of, MOST_RUNS)
            if not found:
                await parts.abandon(tx, workspace_id, part.id)
        return cut(found, most_bytes=MOST_BYTES, most_steps=MOST_STEPS)

    async def _until_settled(self, workspace_id: UUID) -> None:
        """Wait until whoever changes what is to be archived, and did not know that it is, has done so."""
        async with self._context.database.tenant(workspace_id) as tx:
            unused = await parts.unused_transaction(tx)
        for _ in range(_WAITS):
            async with self._context.database.tenant(workspace_id) as tx:
                if await parts.settled_transaction(tx) >= unused:
                    return
            await asyncio.sleep(_WAIT_SECONDS)
        raise NotArchived(
            "a transaction of another program has been under way for too long: nothing is archived meanwhile"
        )

    async def write(self, files: ArchiveFiles, workspace_id: UUID, part: Part, chosen: Sequence[Sized]) -> Written:
        """Write the runs' files, and read them back."""
        read = await self._read(workspace_id, part, chosen)
        written = {
            kind: await files.put_rows(workspace_id, kind, part.month, part.id, FORMS[kind], pages_)
            for kind, pages_ in read.rows.items()
            if kind != ARTIFACTS or any(pages_)
        }
        await _verify(files, written, chosen)
        first, last = chosen[0].run_id, chosen[-1].run_id
        bounds = {"firstRun": str(first), "lastRun": str(last)}
        manifest = Manifest(workspace_id, part.id, part.month, bounds, written).to_bytes()
        written[MANIFEST] = await files.put_manifest(workspace_id, RUNS, part.month, part.id, manifest)
        record = files_to_record(written)
        return Written(first, last, len(chosen), written[STEPS].rows, read.stored, read.logs, record)

    async def _read(self, workspace_id: UUID, part: Part, runs: Sequence[Sized]) -> _Read:
        rows: dict[str, list[Sequence[Any]]] = {RUNS: [], STEPS: [], ARTIFACTS: []}
        stored = logs = 0
        for page in pages(runs, most_bytes=_PAGE_BYTES, most_steps=_PAGE_STEPS):
            async with self._context.database.tenant(workspace_id) as tx:
                for kind, read in rows.items():
                    read.append(await choosing.rows(tx, kind, workspace_id, part.month, page))
            stored += sum(
                stored_bytes(value)
                for run in rows[RUNS][-1]
                for value in (run.inputs, run.event, run.options, run.outputs)
            )
            stored += sum(stored_bytes(step.output) for step in rows[STEPS][-1])
            logs += sum(step.log_bytes or 0 for step in rows[STEPS][-1])
            logs += sum(artifact.bytes for artifact in rows[ARTIFACTS][-1])
        return _Read(rows, stored, logs)

    async def record(self, workspace_id: UUID, part: Part, written: Written) -> bool:
        """Say that the part counts. Whether nobody else had."""
        async with self._context.database.tenant(workspace_id) as tx:
            return await parts.verified(tx, workspace_id, part.id, written, self._context.now())

    async def known(self, workspace_id: UUID, part: Part) -> Part | None:
        """The part as it is recorded now."""
        async with self._context.database.tenant(workspace_id) as tx:
            return await parts.one(tx, workspace_id, part.id)

    async def tidy(self, files: ArchiveFiles, workspace_id: UUID, policy: Policy, now: datetime) -> Tidied:
        """Delete rows of verified parts, give back what they took, and delete parts with the logs and files of runs."""
        removed = expired = 0
        for part in await self._in_state(workspace_id, "Verified"):
            await removing.remove(self._context, files, workspace_id, part)
            removed += 1
        for part in await self._in_state(workspace_id, "Removed"):
            await removing.settle(self._context, workspace_id, part)
        for part in await self._in_state(workspace_id, "Settled", "Expiring"):
            if part.state == "Expiring" or removing.is_over(part.month, policy, now):
                await removing.expire(self._context, files, self._logs, workspace_id, part)
                expired += 1
        return Tidied(removed, expired)

    async def _in_state(self, workspace_id: UUID, *states: str) -> list[Part]:
        async with self._context.database.tenant(workspace_id) as tx:
            return await parts.in_state(tx, workspace_id, *states)


@dataclass(frozen=True)
class _Read:
    """What is to be written, in pages."""

    rows: dict[str, list[Sequence[Any]]]
    stored: int
    logs: int
    """What lies in the object store: logs, and artifacts with them."""


async def _verify(files: ArchiveFiles, written: Mapping[str, ArchivedFile], runs: Sequence[Sized]) -> None:
    """Read what was written, as whoever reads it later does. Raises ``ArchiveDamaged``."""
    found = [row["id"] for row in await files.rows(written[RUNS], ("id",), by="id")]
    if found != [str(run.run_id) for run in runs]:
        raise ArchiveDamaged(f"a file of the archive has other runs than were written: {written[RUNS].path}")
    steps = len(await files.rows(written[STEPS], ("execution_id",), by="execution_id"))
    if steps != written[STEPS].rows or steps != sum(run.steps for run in runs):
        raise ArchiveDamaged(f"a file of the archive has other steps than were written: {written[STEPS].path}")
    if (artifacts := written.get(ARTIFACTS)) is not None:
        found = await files.rows(artifacts, ("path",), by="execution_id")
        if len(found) != artifacts.rows:
            raise ArchiveDamaged(f"a file of the archive has other artifacts than were written: {artifacts.path}")
