"""The audit log, as the API gives it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from headgate.domain.audit import Action, ActOutcome, Entry
from headgate.engine.audit_log import EntryPage
from headgate.gateway.models.base import ApiModel, PageQuery, Time
from headgate.store.audit import Filters


class AuditQuery(PageQuery):
    """Which entries."""

    since: Time | None = None
    """Only those of this moment and later."""
    until: Time | None = None
    """Only those before this moment."""
    actor: Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00]+$")] | None = None
    """Only those of whoever has this name."""
    action: Action | None = None
    """Only those of this action."""

    def filters(self) -> Filters:
        """As they are looked for."""
        return Filters(self.since, self.until, self.actor, self.action)


class AuditActor(ApiModel):
    """Who did something."""

    kind: str
    """What it is: user, apikey, runner, kubernetes or command. A newer release may know others."""
    name: str
    """As the API names callers: a user, or ``apikey:`` and the id of a key; for others what stands for them."""
    via: str
    """How it is known that it was they."""


class AuditEntry(ApiModel):
    """Something that was done."""

    sequence: int
    """Counts the workspace's entries from 1, without a gap."""
    at: datetime
    """When it was done."""
    actor: AuditActor
    """Who did it."""
    action: str
    """What was done. A newer release may know others than the filter takes."""
    object: str
    """What it was done to."""
    outcome: ActOutcome
    """What came of it."""
    detail: dict[str, Any]
    """More about it, by action. No values of credentials, and no inputs."""
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of the entry and, through the hash of the entry before it, of all entries before."""


class AuditList(ApiModel):
    """A page of the audit log, the newest first."""

    items: tuple[AuditEntry, ...]
    """The entries."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


def entry_of(entry: Entry) -> AuditEntry:
    """The entry as the API gives it."""
    return AuditEntry(
        sequence=entry.sequence,
        at=entry.at,
        actor=AuditActor(kind=entry.actor_kind, name=entry.actor_name, via=entry.actor_via),
        action=entry.action,
        object=entry.object,
        outcome=ActOutcome(entry.outcome),
        detail=json.loads(entry.detail),
        hash=entry.hash.hex(),
    )


def audit_of(page: EntryPage) -> AuditList:
    """The page as the API gives it."""
    return AuditList(items=tuple(entry_of(entry) for entry in page.entries), next_cursor=page.next_cursor)
