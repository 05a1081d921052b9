"""A round of the archive: write, verify, remove, and in the end delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from headgate.domain.archive import AUDIT, RUNS, ManifestInvalid, last_round
from headgate.domain.audit_keys import SigningKeys
from headgate.engine.archive import writing
from headgate.engine.archive.entries import Entries
from headgate.engine.archive.files import ArchiveDamaged, ArchiveFiles
from headgate.engine.archive.kind import Kind, NotArchived
from headgate.engine.archive.runs import Runs
from headgate.engine.context import Context
from headgate.objects.object_store import ObjectStore
from headgate.store.archive import choosing, months
from headgate.store.archive.choosing import Policy
from headgate.store.errors import StatementRefused

_log = structlog.get_logger("headgate.archive")


@dataclass
class Round:
    """What a round did."""

    runs: int = 0
    """That were written to the archive, and read back."""
    entries: int = 0
    """Of audit logs, that were too."""
    parts: int = 0
    """In which they are."""
    removed: int = 0
    """Parts whose rows were deleted one by one."""
    months: int = 0
    """That left the history as a whole."""
    expired: int = 0
    """Parts that were kept long enough."""
    held: int = 0
    """Workspaces under legal hold."""
    failed: dict[UUID, str] = field(default_factory=dict)
    """Workspaces with which something was wrong, and what."""


class Archiver:
    """Moves what is old to the object store, and deletes it there when it was kept long enough.

    That is runs that have ended and, where heads of audit logs are signed, entries of those.

    Every step may be killed and repeated, also by another process at the same time: nothing is lost, and nothing is
    there twice. All methods raise ``DatabaseUnavailable`` and ``StoreUnavailable``.
    """

    def __init__(
        self, context: Context, objects: ObjectStore, logs: ObjectStore | None, signing: SigningKeys | None = None
    ) -> None:
        """``logs`` is where logs of runs lie, and ``signing`` are the keys by which heads of audit logs are signed."""
        self._context = context
        self._files = ArchiveFiles(objects)
        self._kinds: dict[str, Kind[Any, Any, Any]] = {RUNS: Runs(context, logs)}
        if signing is not None:
            self._kinds[AUDIT] = Entries(context, signing)

    async def run_due(self, now: datetime) -> Round | None:
        """Do the daily round unless it was done: it is due at 02:00 UTC, or as soon as somebody is there to do it."""
        due = last_round(now)
        async with self._context.database.system() as tx:
            done = await months.last_round(tx)
        if done is not None and done >= due:
            return None
        round_ = await self.run(now)
        if not round_.failed:
            async with self._context.database.system() as tx:
                await months.finish_round(tx, due, now)
        return round_

    async def run(self, now: datetime, workspace_id: UUID | None = None) -> Round:
        """Do a round, for one workspace or for all of them.

        What is wrong with one workspace keeps no other one waiting.
        """
        round_ = Round()
        async with self._context.database.system() as tx:
            found = await months.workspaces(tx) if workspace_id is None else [workspace_id]
        await self._each(round_, found, lambda *of: self._write(round_, now, *of))
        await self._drop_months(round_, now)
        await self._each(round_, found, lambda *of: self._tidy(round_, now, *of))
        return round_

    async def _each(
        self, round_: Round, workspaces: list[UUID], work: Callable[[str, UUID, Policy], Awaitable[None]]
    ) -> None:
        """Do that for each kind of each workspace, whatever is wrong with others."""
        round_.held = 0
        for workspace_id in workspaces:
            async with self._context.database.tenant(workspace_id) as tx:
                policy = await choosing.policy(tx, workspace_id)
            if policy is None:
                continue
            if policy.legal_hold:
                round_.held += 1
                continue
            for kind in self._kinds:
                try:
                    await work(kind, workspace_id, policy)
                except (ArchiveDamaged, NotArchived, ManifestInvalid, StatementRefused) as error:
                    round_.failed[workspace_id] = str(error)
                    _log.error(
                        "a workspace is not archived", workspace_id=str(workspace_id), kind=kind, error=str(error)
                    )

    async def _write(self, round_: Round, now: datetime, name: str, workspace_id: UUID, policy: Policy) -> None:
        kind = self._kinds[name]
        while (part := await kind.begin(workspace_id, policy, now)) is not None:
            written = await writing.write(kind, self._files, workspace_id, part)
            round_.parts += written > 0
            if name == RUNS:
                round_.runs += written
            else:
                round_.entries += written

    async def _drop_months(self, round_: Round, now: datetime) -> None:
        """Months go as a whole where that is possible, which takes no time."""
        async with self._context.database.system() as tx:
            found = await months.months_before(tx, now)
        for month in found:
            async with self._context.database.system() as tx:
                answer = await months.drop(tx, month, now)
            round_.months += answer == months.DROPPED

    async def _tidy(self, round_: Round, now: datetime, name: str, workspace_id: UUID, policy: Policy) -> None:
        tidied = await self._kinds[name].tidy(self._files, workspace_id, policy, now)
        round_.removed += tidied.removed
        round_.expired += tidied.expired
