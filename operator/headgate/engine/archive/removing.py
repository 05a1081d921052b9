"""Takes out of the history what is in the archive, and out of the archive what was kept long enough."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from headgate.domain.archive import (
    ARTIFACTS,
    RUNS,
    STEPS,
    ArchivedFile,
    Sized,
    files_of_record,
    month_start,
    next_month,
)
from headgate.domain.artifacts import artifact_folder
from headgate.domain.task import TaskRef
from headgate.engine.archive.files import ArchiveFiles
from headgate.engine.context import Context
from headgate.objects.object_store import ObjectStore
from headgate.store.archive import parts
from headgate.store.archive.choosing import Policy
from headgate.store.archive.parts import Part

BATCH = 500
"""Runs that one transaction deletes at most."""


async def remove(context: Context, files: ArchiveFiles, workspace_id: UUID, part: Part) -> None:
    """Delete the rows of a verified part from the history: those that are in its file, read once more.

    May be killed and repeated anywhere. Raises ``ArchiveDamaged``, and then nothing was deleted.
    """
    file = files_of_record(part.files or {})[RUNS]
    rows = await files.rows(file, ("id", "started_at"), by="id")
    runs = [Sized(UUID(row["id"]), row["started_at"], 0, 0) for row in rows]
    for start in range(0, len(runs), BATCH):
        async with context.database.tenant(workspace_id) as tx:
            await parts.remove_rows(tx, part.id, runs[start : start + BATCH])
    async with context.database.tenant(workspace_id) as tx:
        await parts.move(tx, workspace_id, part.id, "Verified", "Removed")


async def settle(context: Context, workspace_id: UUID, part: Part) -> None:
    """Give back what the runs of the part took of the workspace's storage; their logs stay, and go on counting."""
    async with context.database.tenant(workspace_id) as tx:
        await parts.settle(tx, workspace_id, part, context.now())


def is_over(month: date, policy: Policy, now: datetime) -> bool:
    """Whether a part of that month was kept for as long as it has to be."""
    return month_start(next_month(month)) + policy.compliance <= now


async def expire(
    context: Context, files: ArchiveFiles, logs: ObjectStore | None, workspace_id: UUID, part: Part
) -> None:
    """Delete a part, with the logs of its runs and the files that they left. Without ``logs`` those stay.

    The files that name them go after them, and the record last: killed anywhere, it is done when repeated.
    """
    if part.state != "Expiring":
        async with context.database.tenant(workspace_id) as tx:
            await parts.move(tx, workspace_id, part.id, "Settled", "Expiring")
    named = files_of_record(part.files or {})
    if logs is not None:
        await _delete_logs(files, logs, named[STEPS])
        if ARTIFACTS in named:
            await _delete_artifacts(files, logs, workspace_id, named[ARTIFACTS])
    for kind in (RUNS, STEPS, ARTIFACTS):
        await files.clear(workspace_id, kind, part.month, part.id)
    async with context.database.tenant(workspace_id) as tx:
        await parts.forget(tx, workspace_id, part, context.now())


async def _delete_logs(files: ArchiveFiles, logs: ObjectStore, steps: ArchivedFile) -> None:
    if not await files.is_there(steps):
        return
    for row in await files.rows(steps, ("execution_id", "log_path"), by="execution_id"):
        if row["log_path"] is not None:
            await logs.delete(row["log_path"])


async def _delete_artifacts(
    files: ArchiveFiles, logs: ObjectStore, workspace_id: UUID, artifacts: ArchivedFile
) -> None:
    """Delete all that was ever sent of attempts with files: also what came, and was not noted as a gateway died."""
    if not await files.is_there(artifacts):
        return
    rows = await files.rows(artifacts, ("execution_id", "node", "attempt"), by="execution_id")
    attempts = {TaskRef(workspace_id, UUID(row["execution_id"]), row["node"], row["attempt"]) for row in rows}
    for folder in map(artifact_folder, attempts):
        for found in [item async for item in logs.list(folder)]:
            await logs.delete(found.path)
