"""Who did what: shows it, signs it, and finds what was done to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from headgate.domain.audit import GENESIS, Act, Checkpoint, Entry, Round, round_digest
from headgate.domain.audit_chain import ChainCheck, Finding, RoundCheck, Wrong
from headgate.domain.audit_keys import PublicKeys, SigningKeys
from headgate.engine.context import Context
from headgate.store import audit
from headgate.store.audit import Filters
from headgate.store.database import Transaction

PAGE_SIZE = 500
"""Entries in a page of a list at most."""
UNSIGNED_FOR = timedelta(hours=1)
"""How long entries may lie without a checkpoint before that is something wrong, where keys are given."""
MOST_SIGNED = 2000
"""Heads in a round at most."""
_READ, _WORKSPACES, _ROUNDS = 1000, 200, 200
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


@dataclass(frozen=True)
class EntryPage:
    """Part of a list, the newest first."""

    entries: tuple[Entry, ...]
    next_cursor: str | None


async def record(tx: Transaction, workspace_id: UUID, at: datetime, act: Act | None) -> None:
    """Add an entry to the workspace's log in the transaction that changes what it tells of; nothing for None.

    Call it last. It takes the last lock, which others of the workspace that add entries wait for.
    """
    if act is not None:
        await audit.append(tx, workspace_id, at, act)


class Audit:
    """Audit logs of workspaces. All methods raise ``DatabaseUnavailable`` when Postgres is not there."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def note(self, workspace_id: UUID, act: Act) -> None:
        """Add an entry of what changed nothing, such as a call that was refused."""
        async with self._context.database.tenant(workspace_id) as tx:
            await audit.append(tx, workspace_id, self._context.now(), act)

    async def list(
        self, workspace_id: UUID, filters: Filters = _ANY, cursor: str | None = None, limit: int = 50
    ) -> EntryPage:
        """Entries of the workspace, the newest first. ``limit`` is from 1 to ``PAGE_SIZE``.

        Raises ``ValueError`` for a cursor that is not one, or another limit.
        """
        if not 1 <= limit <= PAGE_SIZE:
            raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
        before = _position(cursor) if cursor is not None else _LAST
        async with self._context.database.tenant(workspace_id) as tx:
            found = await audit.page(tx, workspace_id, filters, before, limit)
        return EntryPage(tuple(found), str(found[-1].sequence) if len(found) == limit else None)

    async def in_order(self, workspace_id: UUID, last: int = _LAST) -> AsyncIterator[Sequence[Entry]]:
        """All entries up to that number in order, page by page, without a transaction that stays open meanwhile."""
        after = 0
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

        Entries may be added meanwhile; they are left out.
        """
        async with self._context.database.tenant(workspace_id) as tx:
            # In this order: each is known to reach as far as what was read before it.
            checkpoints = await audit.checkpoints(tx, workspace_id)
            head = await audit.head(tx, workspace_id)
        check = ChainCheck(workspace_id, head, checkpoints, keys)
        told = max([head.sequence if head is not None else _LAST, *(each.sequence for each in checkpoints)])
        async for found in self.in_order(workspace_id, told):
            check.add(found)
        finding = check.end()
        if finding is None and keys is not None and check.unsigned_since is not None:
            finding = self._unsigned(check.signed + 1, check.unsigned_since)
        return Verified(workspace_id, workspace, check.checked, check.signed, finding)

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
