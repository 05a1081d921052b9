"""API keys, as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from headgate.api.members import Role
from headgate.domain.api_keys import Scope
from headgate.engine.api_keys import Issued, KeyPage, KeyView
from headgate.gateway.models.base import ApiModel, Line, Time


class CreateKey(ApiModel):
    """Asks for a key."""

    name: Line
    """What it is for; need not be unique."""
    role: Role
    """What it may do at most."""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] | None = None
    """What it may do, within its role; all that the role allows now when absent."""
    expires_at: Time | None = None
    """The moment from which it is not good any more, within ten years; never when absent."""


class Key(ApiModel):
    """A key, without what is needed to use it."""

    id: UUID
    """Unique for ever."""
    name: str
    """What it is for."""
    role: Role
    """What it may do at most."""
    scopes: tuple[Scope, ...]
    """What it may do."""
    created_at: datetime
    """When it was made."""
    created_by: str
    """Who made it."""
    expires_at: datetime | None
    """The moment from which it is not good any more; null for never."""
    last_used_at: datetime | None
    """When it was last used, to the minute; null for never."""
    revoked_at: datetime | None
    """When it was revoked; null where it was not."""
    revoked_by: str | None
    """Who revoked it."""


class NewKey(Key):
    """A key that was just made."""

    key: str
    """The key itself. It is nowhere kept and shown this once."""


class KeyList(ApiModel):
    """A page of keys, the newest first."""

    items: tuple[Key, ...]
    """The keys, revoked ones too."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


def key_of(view: KeyView) -> Key:
    """The key as the API gives it."""
    return Key(**_members(view))


def new_key_of(issued: Issued) -> NewKey:
    """The new key as the API gives it."""
    return NewKey(key=issued.text, **_members(issued.view))


def list_of(page: KeyPage) -> KeyList:
    """The page as the API gives it."""
    return KeyList(items=tuple(key_of(key) for key in page.keys), next_cursor=page.next_cursor)


def _members(view: KeyView) -> dict[str, Any]:
    return {**vars(view), "scopes": tuple(sorted(view.scopes))}
