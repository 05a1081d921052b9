"""Who did what: shows it, signs it, and finds what was done to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from headgate.domain.archive import ManifestInvalid
from headgate.domain.audit import GENESIS, Act, Anchor, Checkpoint, Cut, Entry, Round, round_digest
from headgate.domain.audit_chain import ChainCheck, Finding, RoundCheck, Wrong, beginning
from headgate.domain.audit_keys import PublicKeys, SigningKeys
from headgate.engine.archive.entry_files import ArchivedEntries
from headgate.engine.archive.files import ArchiveDamaged
from headgate.engine.context import Context
from headgate.store import audit, audit_anchors
from headgate.store.audit import Filters

PAGE_SIZE = 500
"""Entries in a page of a list at most."""
UNSIGNED_FOR = timedelta(hours=1)
"""How long entries may lie without a checkpoint before that is something wrong, where keys are given."""
MOST_SIGNED = 2000
"""Heads in a round at most."""
_READ, _WORKSPACES, _ROUNDS = 1000, 200, 200
_LOOKS = 5
_SIGNING_LOCK = 0x6175646974
_FIRST = UUID(int=0)
_LAST = 2**63 - 1
_ANY = Filters()
_log = structlog.get_logger("headgate.audit")


@dataclass(frozen=True)
class Verified:
    """What was found of one workspace's log."""

    workspace_id: UUID
    workspace: str
    entries: int
    """Those that were found to be good."""
    signed: int
    """The number up to which a checkpoint stands for them."""
    finding: Finding | None
    after: int = 0
    """The number of the entry after which they begin: those up to it are elsewhere, or nowhere any more."""


@dataclass(frozen=True)
class EntryPage:
    """Part of a list, the newest first."""

    entries: tuple[Entry, ...]
    next_cursor: str | None


class EntriesMoved(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Entries were moved to the archive while they were read: read them again."""


class Audit:
    """Audit logs of workspaces. All methods raise ``DatabaseUnavailable`` when Postgres is not there.

    Those that read entries raise ``StoreUnavailable`` when the archive is not there.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._archived = ArchivedEntries(context)

    async def note(self, workspace_id: UUID, act: Act) -> None:
        """Add an entry of what changed nothing, such as a call that was refused."""
        async with self._context.database.tenant(workspace_id) as tx:
            await audit.append(tx, workspace_id, self._context.now(), act)

    async def list(
        self, workspace_id: UUID, filters: Filters = _ANY, cursor: str | None = None, limit: int = 50
    ) -> EntryPage:
        """Entries of the workspace, the newest first, archived ones too. ``limit`` is from 1 to ``PAGE_SIZE``.

        Raises ``ValueError`` for a cursor that is not one, or another limit; ``NoArchive`` and ``ArchiveDamaged``.
        """
        if not 1 <= limit <= PAGE_SIZE:
            raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
        before = _position(cursor) if cursor is not None else _LAST
        async with self._context.database.tenant(workspace_id) as tx:
            found = await audit.page(tx, workspace_id, filters, before, limit)
            if len(found) == limit:
                return EntryPage(tuple(found), str(found[-1].sequence))
            # After the entries: what is moved in between is in both, and not in neither.
            holding = await self._archived.holding(tx, workspace_id, filters, before)
        known = frozenset(entry.sequence for entry in found)
        rest = await self._archived.rest(holding, filters, before, known, limit - len(found))
        return EntryPage((*found, *rest.entries), None if rest.next_before is None else str(rest.next_before))

    async def whole(self, workspace_id: UUID) -> AsyncIterator[Sequence[Entry]]:
        """All entries that there are in order, archived ones too where this program knows the archive.

        Raises ``EntriesMoved`` where that cannot be done without a gap.
        """
        async with self._context.database.tenant(workspace_id) as tx:
            anchors = await audit_anchors.anchors(tx, workspace_id)
        moved = beginning(anchors, *Cut).sequence
        last = beginning(anchors, Cut.DELETED).sequence if self._archived.is_known else moved
        async for found in self._from(workspace_id, last, moved, _LAST):
            if found[0].sequence != last + 1:
                raise EntriesMoved("entries were moved to the archive meanwhile, or are missing: try again, or verify")
            yield found
            last = found[-1].sequence

    async def _from(self, workspace_id: UUID, after: int, moved: int, last: int) -> AsyncIterator[Sequence[Entry]]:
        """Entries after a number, those up to another one from the archive."""
        if after < moved:
            async for found in self._archived.in_order(workspace_id, after, moved):
                yield found
        async for found in self.in_order(workspace_id, last, after=max(after, moved)):
            yield found

    async def in_order(
        self, workspace_id: UUID, last: int = _LAST, *, after: int = 0
    ) -> AsyncIterator[Sequence[Entry]]:
        """Entries in Postgres up to that number in order, page by page.

        No transaction stays open meanwhile.
        """
        while True:
            async with self._context.database.tenant(workspace_id) as tx:
                found = await audit.entries(tx, workspace_id, after, last, _READ)
            if found:
                yield found
            if len(found) < _READ:
                return
            after = found[-1].sequence

    async def sign(self, keys: SigningKeys) -> int:
        """Sign the heads of all logs that changed since they were signed last, as one round. Returns how many.

        Any replica may do so, one at a time. What the round is goes to the process' log, which is another witness.
        """
        now = self._context.now()
        async with self._context.database.system(lock=_SIGNING_LOCK) as tx:
            heads = await audit.unsigned(tx, MOST_SIGNED)
            if not heads:
                return 0
            before = await audit.last_round(tx)
            number, previous = (1, GENESIS) if before is None else (before.number + 1, before.digest)
            digest = round_digest(number, now, previous, heads)
            made = Round(number, now, previous, digest, keys.current, keys.sign(digest))
            signed = [_signed(keys, made, *head) for head in heads]
            await audit.sign(tx, made, signed)
        _log.info("audit round signed", round=number, digest=digest.hex(), workspaces=len(heads))
        return len(heads)

    async def verify(self, workspace_id: UUID, workspace: str, keys: PublicKeys | None) -> Verified:
        """Look at every entry of a workspace. Without ``keys`` signatures are not looked at.

        Entries may be added meanwhile; they are left out. Those in the archive are looked at where this program knows
        it; elsewhere the anchor stands for them.
        """
        anchors = await self._anchors(workspace_id)
        verified = await self._look(workspace_id, workspace, keys, anchors)
        looks = 1
        # What was moved or deleted meanwhile is missed where it was before.
        while verified.finding is not None and looks < _LOOKS:
            before, anchors = anchors, await self._anchors(workspace_id)
            if before == anchors:
                break
            verified = await self._look(workspace_id, workspace, keys, anchors)
            looks += 1
        return verified

    async def _anchors(self, workspace_id: UUID) -> Sequence[Anchor]:
        async with self._context.database.tenant(workspace_id) as tx:
            return await audit_anchors.anchors(tx, workspace_id)

    async def _look(
        self, workspace_id: UUID, workspace: str, keys: PublicKeys | None, anchors: Sequence[Anchor]
    ) -> Verified:
        async with self._context.database.tenant(workspace_id) as tx:
            # In this order: each is known to reach as far as what was read before it.
            checkpoints = await audit.checkpoints(tx, workspace_id)
            head = await audit.head(tx, workspace_id)
        moved = beginning(anchors, *Cut)
        start = beginning(anchors, Cut.DELETED) if self._archived.is_known else moved
        check = ChainCheck(workspace_id, head, checkpoints, keys, anchors=anchors, start=start)
        told = max([head.sequence if head is not None else _LAST, *(each.sequence for each in checkpoints)])
        finding = None
        try:
            async for found in self._from(workspace_id, start.sequence, moved.sequence, told):
                check.add(found)
        except (ArchiveDamaged, ManifestInvalid) as error:
            finding = check.finding or Finding(Wrong.DAMAGED, check.checked + 1, str(error))
        finding = finding or check.end()
        if finding is None and keys is not None and check.unsigned_since is not None:
            finding = self._unsigned(check.signed + 1, check.unsigned_since)
        checked = check.checked - start.sequence
        return Verified(workspace_id, workspace, checked, check.signed, finding, start.sequence)

    async def verify_all(self, keys: PublicKeys | None) -> AsyncIterator[Verified]:
        """``verify`` for every workspace that there is or was."""
        after = _FIRST
        while True:
            async with self._context.database.system() as tx:
                found = await audit.workspaces(tx, after, _WORKSPACES)
            for workspace_id, name in found:
                yield await self.verify(workspace_id, name, keys)
            if len(found) < _WORKSPACES:
                return
            after = found[-1][0]

    async def verify_rounds(
        self, keys: PublicKeys | None, expected: tuple[int, bytes] | None = None
    ) -> tuple[int, Finding | None]:
        """Look at what was signed over all workspaces. How many rounds are good, and what is wrong.

        ``expected`` are number and digest of a round that somebody knows from elsewhere, such as a process' log.
        """
        async with self._context.database.system() as tx:
            newest = await audit.newest_round_of_checkpoints(tx)
        check, after = RoundCheck(keys, expected=expected), 0
        while True:
            async with self._context.database.system() as tx:
                found = await audit.rounds(tx, after, _ROUNDS)
                heads = await audit.heads_of_rounds(tx, found[0].number, found[-1].number) if found else {}
            for each in found:
                check.add(each, heads.get(each.number, ()))
            if len(found) < _ROUNDS:
                return check.checked, check.end(newest)
            after = found[-1].number

    def _unsigned(self, sequence: int, since: datetime) -> Finding | None:
        if self._context.now() - since < UNSIGNED_FOR:
            return None
        message = (
            "no checkpoint stands for it, which is older than an hour: the operator does not sign, or some are gone"
        )
        return Finding(Wrong.UNSIGNED, sequence, message)


def _signed(keys: SigningKeys, made: Round, workspace_id: UUID, sequence: int, head: bytes) -> Checkpoint:
    bare = Checkpoint(workspace_id, sequence, head, made.at, made.number, made.signing_key, b"")
    return replace(bare, signature=keys.sign(bare.signed()))


def _position(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal()) or not 0 < int(cursor) <= _LAST:
        raise ValueError("the cursor is not one that a list gave")
    return int(cursor)
