"""Takes out of the history what is in the archive, and out of the archive what was kept long enough."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from headgate.domain.archive import RUNS, STEPS, Sized, files_of_record, month_start, next_month
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
    """Delete a part, with the logs of its runs. Without ``logs`` those stay where they are.

    The file that names the logs goes after them, and the record last: killed anywhere, it is done when repeated.
    """
    if part.state != "Expiring":
        async with context.database.tenant(workspace_id) as tx:
            await parts.move(tx, workspace_id, part.id, "Settled", "Expiring")
    steps = files_of_record(part.files or {})[STEPS]
    if logs is not None and await files.is_there(steps):
        for row in await files.rows(steps, ("execution_id", "log_path"), by="execution_id"):
            if row["log_path"] is not None:
                await logs.delete(row["log_path"])
    for kind in (RUNS, STEPS):
        await files.clear(workspace_id, kind, part.month, part.id)
    async with context.database.tenant(workspace_id) as tx:
        await parts.forget(tx, workspace_id, part, context.now())
