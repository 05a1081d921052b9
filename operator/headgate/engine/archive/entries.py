"""Old entries of audit logs as what moves to the archive: from a log's beginning, which then is at an anchor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from headgate.domain.archive import (
    AUDIT,
    MANIFEST,
    Manifest,
    SizedEntry,
    files_of_record,
    files_to_record,
    leading,
    month_of,
)
from headgate.domain.audit import Anchor, Cut, Entry
from headgate.domain.audit_chain import ChainCheck, Finding, Head, Wrong, beginning
from headgate.domain.audit_keys import SigningKeys
from headgate.engine.archive.entry_files import entries_of
from headgate.engine.archive.files import ArchiveDamaged, ArchiveFiles
from headgate.engine.archive.kind import NotArchived, Tidied
from headgate.engine.archive.removing import is_over
from headgate.engine.context import Context
from headgate.store import audit, audit_anchors
from headgate.store.archive import audit_parts, choosing, entries
from headgate.store.archive.audit_parts import AuditPart, WrittenEntries
from headgate.store.archive.choosing import Policy
from headgate.store.archive.columns import FORMS

MOST_ENTRIES = 5000
"""Entries of a part."""
MOST_BYTES = 16 * 2**20
"""Bytes of a part, about, as text."""
_PAGE = 1000


@dataclass(frozen=True)
class Choice:
    """Entries that are a part, and what stands before the first of them."""

    after: Head
    entries: Sequence[SizedEntry]

    def __len__(self) -> int:
        return len(self.entries)


class Entries:
    """Entries of audit logs. See ``Kind``.

    Nothing is moved that is not signed, and no part of a log in which anything is wrong: there it has to be looked at.
    """

    folders = (AUDIT,)

    def __init__(self, context: Context, signing: SigningKeys) -> None:
        """``signing`` are the keys by which the operator signs heads, with all that it ever signed by."""
        self._context = context
        self._signing = signing

    async def begin(self, workspace_id: UUID, policy: Policy, now: datetime) -> AuditPart | None:
        """The part that is written next, of entries that are old enough: one that was begun, or a new one."""
        before, now = now - policy.audit, self._context.now()
        async with self._context.database.tenant(workspace_id) as tx:
            begun = await audit_parts.in_state(tx, workspace_id, "Writing")
            if begun:
                return begun[0]
            after = await entries.end(tx, workspace_id)
            found = await entries.sizes(tx, workspace_id, after.sequence, 1)
            if not found or found[0].at >= before:
                return None
            # Another one may just have begun one: then that is written in its next round.
            part_id = self._context.new_id(now)
            return await audit_parts.begin(tx, workspace_id, part_id, month_of(found[0].at), before, now)

    async def choose(self, workspace_id: UUID, part: AuditPart) -> Choice:
        """The part's entries, which never change and of which none comes before another one that is there."""
        async with self._context.database.tenant(workspace_id) as tx:
            after = await entries.end(tx, workspace_id)
            found = await entries.sizes(tx, workspace_id, after.sequence, MOST_ENTRIES)
            chosen = leading(found, month=part.month, before=part.entries_before, most_bytes=MOST_BYTES)
            if not chosen:
                await audit_parts.abandon(tx, workspace_id, part.id)
        return Choice(after, chosen)

    async def write(self, files: ArchiveFiles, workspace_id: UUID, part: AuditPart, chosen: Choice) -> WrittenEntries:
        """Write the entries' file, read it back, and see whether the chain goes on with what it has."""
        first, last = chosen.entries[0].sequence, chosen.entries[-1].sequence
        pages = []
        for start in range(first, last + 1, _PAGE):
            async with self._context.database.tenant(workspace_id) as tx:
                pages.append(await entries.rows(tx, workspace_id, start, min(start + _PAGE - 1, last)))
        file = await files.put_rows(workspace_id, AUDIT, part.month, part.id, FORMS[AUDIT], pages)
        found = await entries_of(files, file)
        await self._verify(workspace_id, chosen.after, last, found)
        bounds: dict[str, str | int] = {
            "firstEntry": first,
            "lastEntry": last,
            "hashBefore": chosen.after.hash.hex(),
            "hash": found[-1].hash.hex(),
        }
        written = {AUDIT: file}
        manifest = Manifest(workspace_id, part.id, part.month, bounds, written).to_bytes()
        written[MANIFEST] = await files.put_manifest(workspace_id, AUDIT, part.month, part.id, manifest)
        times = [entry.at for entry in found]
        return WrittenEntries(first, last, found[-1].hash, min(times), max(times), files_to_record(written))

    async def _verify(self, workspace_id: UUID, after: Head, last: int, found: Sequence[Entry]) -> None:
        """See whether these are the entries after that one up to ``last``, and all is good up to the next signature.

        Raises ``NotArchived``.
        """
        async with self._context.database.tenant(workspace_id) as tx:
            checkpoints = await audit.checkpoints_of(tx, workspace_id, after.sequence + 1, last)
        signed = checkpoints[-1].sequence if checkpoints else 0
        check = ChainCheck(workspace_id, None, checkpoints, self._signing.public(), start=after)
        check.add(found)
        while check.finding is None and last <= check.checked < signed:
            async with self._context.database.tenant(workspace_id) as tx:
                more = await audit.entries(tx, workspace_id, check.checked, signed, _PAGE)
            if not more:
                break
            check.add(more)
        if check.finding is not None:
            raise _bad(check.finding)
        if check.checked < max(last, signed):
            raise _bad(Finding(Wrong.MISSING, check.checked + 1, f"after entry {check.checked} there is none"))
        if signed < last:
            raise _bad(Finding(Wrong.UNSIGNED, last, "no checkpoint stands for it any more"))

    async def record(self, workspace_id: UUID, part: AuditPart, written: WrittenEntries) -> bool:
        """Say that the part counts. Whether nobody else had."""
        async with self._context.database.tenant(workspace_id) as tx:
            return await audit_parts.verified(tx, workspace_id, part.id, written, self._context.now())

    async def known(self, workspace_id: UUID, part: AuditPart) -> AuditPart | None:
        """The part as it is recorded now."""
        async with self._context.database.tenant(workspace_id) as tx:
            return await audit_parts.one(tx, workspace_id, part.id)

    async def tidy(self, files: ArchiveFiles, workspace_id: UUID, policy: Policy, now: datetime) -> Tidied:
        """Delete entries that are in verified parts from the log, and the oldest parts that were kept long enough."""
        removed = expired = 0
        async with self._context.database.tenant(workspace_id) as tx:
            parts = await audit_parts.in_state(tx, workspace_id, "Verified", "Removed", "Expiring")
        for part in parts:
            if part.state == "Verified":
                await self._remove(files, workspace_id, part)
                removed += 1
        for part in parts:
            if part.state != "Expiring" and not is_over(part.month, policy, now):
                break
            if not await self._expire(files, workspace_id, part):
                break
            expired += 1
        return Tidied(removed, expired)

    async def _remove(self, files: ArchiveFiles, workspace_id: UUID, part: AuditPart) -> None:
        try:
            await self._anchor_and_remove(files, workspace_id, part)
        except (ArchiveDamaged, NotArchived):
            # Another process may have been faster, and removed what was being looked at.
            known = await self.known(workspace_id, part)
            if known is not None and known.state == part.state:
                raise

    async def _anchor_and_remove(self, files: ArchiveFiles, workspace_id: UUID, part: AuditPart) -> None:
        """Sign where the log begins from here on, and delete what is before: in one transaction.

        The entries are those of the part's file, read once more, looked at once more, and compared with the rows.
        """
        found = await entries_of(files, files_of_record(part.files or {})[AUDIT])
        first, last = part.first_sequence or 0, part.last_sequence or 0
        async with self._context.database.tenant(workspace_id) as tx:
            after = beginning(await audit_anchors.anchors(tx, workspace_id), *Cut)
        await self._verify(workspace_id, after, last, found)
        async with self._context.database.tenant(workspace_id) as tx:
            # Locks the part: of two that remove it, one finds that there is nothing left to do.
            if not await audit_parts.move(tx, workspace_id, part.id, "Verified", "Verified"):
                return
            if await audit.entries(tx, workspace_id, first - 1, last, len(found) + 1) != found:
                raise NotArchived(f"entries {first} to {last} of the audit log are not those of the archive")
            await audit_anchors.add(tx, self._anchor(workspace_id, Cut.MOVED, Head(last, found[-1].hash)))
            await entries.remove(tx, part.id)
            await audit_parts.move(tx, workspace_id, part.id, "Verified", "Removed")

    async def _expire(self, files: ArchiveFiles, workspace_id: UUID, part: AuditPart) -> bool:
        """Sign that the part, which is the oldest, is kept no more, and delete it; the record last.

        Whether that was done: not where somebody put the workspace under legal hold meanwhile.
        """
        if part.state != "Expiring":
            end = Head(part.last_sequence or 0, part.hash or b"")
            async with self._context.database.tenant(workspace_id) as tx:
                known = await choosing.policy(tx, workspace_id)
                if known is None or known.legal_hold:
                    return False
                anchors = await audit_anchors.anchors(tx, workspace_id)
                if not any(self._stands(each, end) for each in anchors):
                    raise NotArchived(f"no good anchor stands for the part up to entry {end.sequence}: it is kept")
                if await audit_parts.move(tx, workspace_id, part.id, "Removed", "Expiring"):
                    await audit_anchors.add(tx, self._anchor(workspace_id, Cut.DELETED, end))
        await files.clear(workspace_id, AUDIT, part.month, part.id)
        async with self._context.database.tenant(workspace_id) as tx:
            await audit_parts.forget(tx, workspace_id, part.id)
        return True

    def _stands(self, anchor: Anchor, end: Head) -> bool:
        good = self._signing.public().signed(anchor.signing_key, anchor.signature, anchor.signed())
        return anchor.cut is Cut.MOVED and Head(anchor.sequence, anchor.hash) == end and good is True

    def _anchor(self, workspace_id: UUID, cut: Cut, end: Head) -> Anchor:
        keys = self._signing
        bare = Anchor(workspace_id, cut, end.sequence, end.hash, self._context.now(), keys.current, b"")
        return replace(bare, signature=keys.sign(bare.signed()))


def _bad(finding: Finding) -> NotArchived:
    return NotArchived(
        f"entry {finding.sequence} of the audit log is bad: {finding.what}: {finding.message}; nothing of it is moved"
    )
