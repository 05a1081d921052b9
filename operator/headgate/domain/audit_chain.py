"""Finds what was done to audit logs: pure, and fed piece by piece in the order of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from headgate.domain.audit import GENESIS, Anchor, Checkpoint, Cut, Entry, Round, round_digest
from headgate.domain.audit_keys import PublicKeys


class Wrong(StrEnum):
    """What is wrong with a log."""

    EDITED = "edited"
    """What it says is not what its hash was made of: it was changed, or belongs elsewhere."""
    MISSING = "missing"
    RESTAMPED = "re-stamped"
    """Hashes were made anew: they hang together, and are not those that were there."""
    TRUNCATED = "truncated"
    BAD_SIGNATURE = "bad signature"
    UNKNOWN_KEY = "unknown key"
    UNSIGNED = "unsigned"
    DAMAGED = "damaged"
    """A file of the archive is gone, or is not the one that was written."""


@dataclass(frozen=True)
class Finding:
    """The first thing that is wrong with a log."""

    what: Wrong
    sequence: int
    """The number of the entry, or of the round, at which it shows."""
    message: str


@dataclass(frozen=True)
class Head:
    """What a log's newest entry is said to be."""

    sequence: int
    hash: bytes


NOTHING = Head(0, GENESIS)
"""What stands before the first entry."""


def beginning(anchors: Iterable[Anchor], *cuts: Cut) -> Head:
    """What stands before the first entry that is left, where those are gone that these cuts took."""
    newest = max((each for each in anchors if each.cut in cuts), key=lambda each: each.sequence, default=None)
    return NOTHING if newest is None else Head(newest.sequence, newest.hash)


class ChainCheck:
    """Looks at a workspace's log, from its first entry, or that after an anchor, up to its head."""

    def __init__(
        self,
        workspace_id: UUID,
        head: Head | None,
        checkpoints: Sequence[Checkpoint],
        keys: PublicKeys | None,
        *,
        anchors: Sequence[Anchor] = (),
        start: Head = NOTHING,
    ) -> None:
        """``head`` and ``checkpoints`` are to be read before the entries, the checkpoints first.

        Without ``keys`` the signatures of checkpoints and of ``anchors`` are not looked at. ``start`` is what stands
        before the first entry that is to come; see ``beginning``.
        """
        self._workspace_id = workspace_id
        self._head = head
        signed: list[Checkpoint | Anchor] = [*checkpoints, *anchors]
        self._signed = {each.sequence: each.hash for each in signed}
        self._newest = max((checkpoint.sequence for checkpoint in checkpoints), default=0)
        self._last = start
        self.unsigned_since: datetime | None = None
        """The time of the first entry after the newest checkpoint."""
        self.finding = self._of_signed(signed, keys)

    @property
    def checked(self) -> int:
        """The number of the last entry that was found to be good."""
        return self._last.sequence

    @property
    def signed(self) -> int:
        """The number up to which a checkpoint stands for the entries."""
        return self._newest

    def add(self, entries: Iterable[Entry]) -> None:
        """Look at the next entries. Nothing more is looked at once something is wrong."""
        for entry in entries:
            if self.finding is not None:
                return
            self.finding = self._of_entry(entry)
            if self.finding is None:
                self._last = Head(entry.sequence, entry.hash)

    def end(self) -> Finding | None:
        """What is wrong, now that there are no more entries."""
        if self.finding is not None:
            return self.finding
        last = self._last.sequence
        told = max(self._newest, self._head.sequence if self._head is not None else 0)
        if last < told:
            witness = "a signed checkpoint" if self._newest > last else "the head of the log"
            message = f"the log ends with entry {last}, and {witness} knows of entry {told}"
            return Finding(Wrong.TRUNCATED, last + 1, message)
        if last and self._head is None:
            return Finding(
                Wrong.TRUNCATED, last + 1, "the head of the log is gone, so that nobody can tell where it ended"
            )
        if self._head is not None and self._head != self._last:
            return Finding(Wrong.RESTAMPED, last, "the hash of the last entry is not that of the head of the log")
        return None

    def _of_signed(self, signed: Sequence[Checkpoint | Anchor], keys: PublicKeys | None) -> Finding | None:
        for each in signed:
            what = "anchor" if isinstance(each, Anchor) else "checkpoint"
            good = True if keys is None else keys.signed(each.signing_key, each.signature, each.signed())
            if good is None:
                message = f"its {what} is signed by key {each.signing_key}, which was not given"
                return Finding(Wrong.UNKNOWN_KEY, each.sequence, message)
            if not good or (keys is not None and each.workspace_id != self._workspace_id):
                message = f"the signature of its {what} is not of what the {what} says"
                return Finding(Wrong.BAD_SIGNATURE, each.sequence, message)
            if each.hash != self._signed[each.sequence]:
                return Finding(
                    Wrong.RESTAMPED, each.sequence, f"its {what} knows another hash than what else is signed"
                )
        return None

    def _of_entry(self, entry: Entry) -> Finding | None:
        expected = self._last.sequence + 1
        if entry.sequence != expected:
            return Finding(Wrong.MISSING, expected, f"after entry {expected - 1} comes entry {entry.sequence}")
        if entry.workspace_id != self._workspace_id or entry.computed_hash() != entry.hash:
            return Finding(Wrong.EDITED, entry.sequence, "its hash is not of what it says: it was changed, or put here")
        if entry.previous_hash != self._last.hash:
            message = "it does not follow the entry before it: one of the two was made anew"
            return Finding(Wrong.RESTAMPED, entry.sequence, message)
        if self._signed.get(entry.sequence, entry.hash) != entry.hash:
            message = "what was signed knows another hash of it: this entry, or one before it, was made anew"
            return Finding(Wrong.RESTAMPED, entry.sequence, message)
        if self.unsigned_since is None and entry.sequence > self._newest:
            self.unsigned_since = entry.at
        return None


class RoundCheck:
    """Looks at what was signed over all workspaces, from the first round on."""

    def __init__(self, keys: PublicKeys | None, *, expected: tuple[int, bytes] | None = None) -> None:
        """``expected`` are number and digest of a round that somebody knows from elsewhere."""
        self._keys = keys
        self._expected = expected
        self._last = (0, GENESIS)
        self.finding: Finding | None = None

    @property
    def checked(self) -> int:
        """The number of the last round that was found to be good."""
        return self._last[0]

    def add(self, found: Round, heads: Iterable[tuple[UUID, int, bytes]]) -> None:
        """Look at the next round, and the checkpoints that say that they are of it."""
        if self.finding is None:
            self.finding = self._of_round(found, list(heads))
        if self.finding is None:
            self._last = (found.number, found.digest)

    def end(self, newest_of_checkpoints: int) -> Finding | None:
        """What is wrong, now that there are no more rounds. Checkpoints name rounds up to that one."""
        if self.finding is not None:
            return self.finding
        number = self._last[0]
        known = max(newest_of_checkpoints, self._expected[0] if self._expected is not None else 0)
        if number < known:
            return Finding(Wrong.TRUNCATED, number + 1, f"the last round is {number}, and there was a round {known}")
        return None

    def _of_round(self, found: Round, heads: list[tuple[UUID, int, bytes]]) -> Finding | None:
        number, previous = self._last
        if found.number != number + 1:
            return Finding(Wrong.MISSING, number + 1, f"after round {number} comes round {found.number}")
        if found.previous != previous:
            return Finding(Wrong.RESTAMPED, found.number, "the round does not follow the one before it")
        if self._expected is not None and self._expected[0] == found.number and self._expected[1] != found.digest:
            return Finding(Wrong.RESTAMPED, found.number, "the round has another digest than the one that is expected")
        if round_digest(found.number, found.at, found.previous, heads) != found.digest:
            message = f"the {len(heads)} checkpoints of the round are not those that were signed: changed, or gone"
            return Finding(Wrong.MISSING, found.number, message)
        return None if self._keys is None else _of_signature(found, self._keys)


def _of_signature(found: Round, keys: PublicKeys) -> Finding | None:
    good = keys.signed(found.signing_key, found.signature, found.digest)
    if good is None:
        message = f"it is signed by key {found.signing_key}, which was not given"
        return Finding(Wrong.UNKNOWN_KEY, found.number, message)
    if not good:
        return Finding(Wrong.BAD_SIGNATURE, found.number, "the signature of the round is not of what it says")
    return None
