"""A round of the archive: write, verify, remove, and in the end delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from headgate.domain.archive import ManifestInvalid, last_round
from headgate.engine.archive import removing, writing
from headgate.engine.archive.files import ArchiveDamaged, ArchiveFiles
from headgate.engine.archive.writing import HeldUp
from headgate.engine.context import Context
from headgate.objects.object_store import ObjectStore
from headgate.store.archive import choosing, months, parts
from headgate.store.archive.choosing import Policy
from headgate.store.errors import StatementRefused

_log = structlog.get_logger("headgate.archive")


@dataclass
class Round:
    """What a round did."""

    runs: int = 0
    """That were written to the archive, and read back."""
    parts: int = 0
    """In which they are."""
    removed: int = 0
    """Parts whose rows were deleted from the history one by one."""
    months: int = 0
    """That left the history as a whole."""
    expired: int = 0
    """Parts that were kept long enough."""
    held: int = 0
    """Workspaces under legal hold."""
    failed: dict[UUID, str] = field(default_factory=dict)
    """Workspaces with which something was wrong, and what."""


class Archiver:
    """Moves runs that have ended long ago to the object store, and deletes them there when they were kept long enough.

    Every step may be killed and repeated, also by another process at the same time: nothing is lost, and nothing is
    there twice. All methods raise ``DatabaseUnavailable`` and ``StoreUnavailable``.
    """

    def __init__(self, context: Context, objects: ObjectStore, logs: ObjectStore | None) -> None:
        self._context = context
        self._files = ArchiveFiles(objects)
        self._logs = logs

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
        await self._each(round_, found, lambda id_, policy: self._write(round_, id_, policy, now))
        await self._drop_months(round_, now)
        await self._each(round_, found, lambda id_, policy: self._tidy(round_, id_, policy, now))
        return round_

    async def _each(
        self, round_: Round, workspaces: list[UUID], work: Callable[[UUID, Policy], Awaitable[None]]
    ) -> None:
        round_.held = 0
        for workspace_id in workspaces:
            try:
                async with self._context.database.tenant(workspace_id) as tx:
                    policy = await choosing.policy(tx, workspace_id)
                if policy is None:
                    continue
                if policy.legal_hold:
                    round_.held += 1
                    continue
                await work(workspace_id, policy)
            except (ArchiveDamaged, HeldUp, ManifestInvalid, StatementRefused) as error:
                round_.failed[workspace_id] = str(error)
                _log.error("a workspace is not archived", workspace_id=str(workspace_id), error=str(error))

    async def _write(self, round_: Round, workspace_id: UUID, policy: Policy, now: datetime) -> None:
        ended_before = now - max(policy.executions, _SHORTEST)
        while (part := await writing.begin(self._context, workspace_id, ended_before)) is not None:
            written = await writing.write(self._context, self._files, workspace_id, part)
            round_.runs += written
            round_.parts += written > 0

    async def _drop_months(self, round_: Round, now: datetime) -> None:
        """Months go as a whole where that is possible, which takes no time."""
        async with self._context.database.system() as tx:
            found = await months.months_before(tx, now)
        for month in found:
            async with self._context.database.system() as tx:
                answer = await months.drop(tx, month, now)
            round_.months += answer == months.DROPPED

    async def _tidy(self, round_: Round, workspace_id: UUID, policy: Policy, now: datetime) -> None:
        for part in await self._in_state(workspace_id, "Verified"):
            await removing.remove(self._context, self._files, workspace_id, part)
            round_.removed += 1
        for part in await self._in_state(workspace_id, "Removed"):
            await removing.settle(self._context, workspace_id, part)
        for part in await self._in_state(workspace_id, "Settled", "Expiring"):
            if part.state == "Expiring" or removing.is_over(part, policy, now):
                await removing.expire(self._context, self._files, self._logs, workspace_id, part)
                round_.expired += 1

    async def _in_state(self, workspace_id: UUID, *states: str) -> list[parts.Part]:
        async with self._context.database.tenant(workspace_id) as tx:
            return await parts.in_state(tx, workspace_id, *states)


_SHORTEST = timedelta(days=1)
"""What ended later may still get its log."""
