"""Gives out API keys, takes them back, and tells whose a key is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.api.members import Role
from headgate.domain.api_keys import SCOPES, SECRET_BYTES, KeyState, NotAKey, Scope, allowed, new_key, parse
from headgate.domain.audit import Action, Actor
from headgate.engine.acts import done, key_made
from headgate.engine.audit import record
from headgate.engine.context import Context
from headgate.store import api_keys

PAGE_SIZE = 500
"""Keys in a page at most."""
MOST_KEYS = 200
"""Keys of a workspace that are good at the same time at most."""
LONGEST = timedelta(days=3653)
"""How long a key that expires may be good: ten years."""
USE_NOTED = timedelta(minutes=1)
"""How often the last use of a key is written at most."""


@dataclass(frozen=True)
class NewKey:
    """Asks for a key."""

    name: str
    role: Role
    created_by: str
    """Who asks."""
    scopes: frozenset[Scope] | None = None
    """None for all that the role allows now."""
    expires_at: datetime | None = None
    """The moment from which it is not good any more; None for never."""


@dataclass(frozen=True)
class KeyView:
    """A key as recorded. Nothing in it helps to use it."""

    id: UUID
    name: str
    role: Role
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""
    revoked_at: datetime | None
    revoked_by: str | None


@dataclass(frozen=True)
class Issued:
    """A new key. Its text is nowhere else, and cannot be had again."""

    view: KeyView
    text: str

    def __repr__(self) -> str:
        """Without the text, whatever prints it."""
        return f"Issued(view={self.view!r})"


@dataclass(frozen=True)
class KeyPage:
    """Part of a list, the newest first."""

    keys: tuple[KeyView, ...]
    next_cursor: str | None
    """Opaque; gives the next part, or None at the end."""


@dataclass(frozen=True)
class KeyIdentity:
    """Whose a key is."""

    workspace_id: UUID
    workspace: str
    key_id: UUID
    name: str
    role: Role
    scopes: frozenset[Scope]
    """What it allows, within its role."""
    expires_at: datetime | None


class ApiKeys:
    """Keys of workspaces. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def issue(self, workspace_id: UUID, wanted: NewKey, actor: Actor | None = None) -> Issued:
        """Make a key. Raises ``ValueError`` with what to change: an end in the past, no scope, or too many keys."""
        now = self._context.now()
        scopes = allowed(wanted.role, SCOPES[wanted.role] if wanted.scopes is None else wanted.scopes)
        if not scopes:
            raise ValueError(f"a key of the role {wanted.role} has none of these scopes: name others, or none")
        if wanted.expires_at is not None and wanted.expires_at <= now:
            raise ValueError("the key would have expired already: name a time in the future, or none")
        if wanted.expires_at is not None and wanted.expires_at > now + LONGEST:
            raise ValueError("the key would expire in more than ten years: name an earlier time, or none")
        key = new_key(workspace_id, self._context.new_id(now), self._context.randomness(SECRET_BYTES))
        terms = api_keys.KeyTerms(wanted.name, wanted.role, scopes, now, wanted.created_by, wanted.expires_at)
        async with self._context.database.tenant(workspace_id, lock=workspace_id) as tx:
            row = await api_keys.add(tx, key, terms, limit=MOST_KEYS)
            if row is not None:
                await record(tx, workspace_id, now, key_made(actor, key.id, terms))
        if row is None:
            raise ValueError(f"the workspace has {MOST_KEYS} keys that are good: revoke one that nobody uses")
        return Issued(_view(row), key.text)

    async def list(self, workspace_id: UUID, cursor: str | None = None, limit: int = 50) -> KeyPage:
        """Keys of the workspace, revoked ones too, the newest first. ``limit`` is from 1 to ``PAGE_SIZE``.

        Raises ``ValueError`` for a cursor that is not one, or another limit.
        """
        if not 1 <= limit <= PAGE_SIZE:
            raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
        before = _position(cursor) if cursor is not None else None
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await api_keys.page(tx, workspace_id, before, limit)
        keys = tuple(_view(row) for row in rows)
        return KeyPage(keys, str(keys[-1].id) if len(keys) == limit else None)

    async def revoke(self, workspace_id: UUID, key_id: UUID, by: str, actor: Actor | None = None) -> KeyView | None:
        """End a key for good; once more changes nothing. None where the workspace has no such key."""
        now = self._context.now()
        async with self._context.database.tenant(workspace_id) as tx:
            row = await api_keys.revoke(tx, workspace_id, key_id, by, now)
            if row is not None and row.revoked_now:
                await record(tx, workspace_id, now, done(actor, Action.KEY_REVOKE, f"key/{key_id}"))
        return None if row is None else _view(row)

    async def authenticate(self, text: str) -> KeyIdentity | None:
        """Whose the key is, or None where it is not good.

        Mistyped, unknown, expired, revoked, or of a retired workspace is the same to whoever asks. What cannot be a key
        costs no query. One that is good is recorded as used, once in ``USE_NOTED`` at most.
        """
        try:
            key = parse(text)
        except NotAKey:
            return None
        now = self._context.now()
        async with self._context.database.tenant(key.workspace_id) as tx:
            row = await api_keys.find(tx, key)
            # Compared before anything else is: an unknown secret is told nothing of the key.
            if row is None or not key.matches(row.hash):
                return None
            if not KeyState(row.hash, row.expires_at, row.revoked_at).is_active(now):
                return None
            if row.last_used_at is None or row.last_used_at <= now - USE_NOTED:
                await api_keys.touch(tx, key, now, every=USE_NOTED)
        role = Role(row.role)
        return KeyIdentity(
            key.workspace_id, row.workspace, key.id, row.name, role, allowed(role, _known(row.scopes)), row.expires_at
        )


def _view(row: Any) -> KeyView:
    return KeyView(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        scopes=_known(row.scopes),
        created_at=row.created_at.astimezone(UTC),
        created_by=row.created_by,
        expires_at=_utc(row.expires_at),
        last_used_at=_utc(row.last_used_at),
        revoked_at=_utc(row.revoked_at),
        revoked_by=row.revoked_by,
    )


def _known(scopes: Iterable[str]) -> frozenset[Scope]:
    """Those that this release knows: a key may have been given one by a newer release."""
    return frozenset(Scope) & frozenset(scopes)


def _position(cursor: str) -> UUID:
    try:
        return UUID(cursor)
    except ValueError:
        raise ValueError("the cursor is not one that a list gave") from None


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
