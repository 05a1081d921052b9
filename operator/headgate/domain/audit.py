"""What an audit log says, and how its entries hang together.

Every entry has a number, and a hash of all that it says with the hash of the entry before it. So an entry cannot be
changed, left out or put elsewhere without changing all after it, and a signed hash stands for all up to it. Parts are
hashed each after its length: no two entries give the same bytes. Postgres makes the hashes, in the same way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

GENESIS = bytes(32)
"""Stands for the hash before the first entry, and for the digest before the first round."""
DETAIL_BYTES = 4096
"""Of an entry's detail, as JSON."""
_NAME_BYTES, _VIA_BYTES, _OBJECT_BYTES = 512, 64, 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ActorKind(StrEnum):
    """What somebody is that did something."""

    USER = "user"
    API_KEY = "apikey"
    RUNNER = "runner"
    KUBERNETES = "kubernetes"
    """Whoever may write the object that is named; the API server's own audit log says who it was."""
    COMMAND = "command"


class Action(StrEnum):
    """What was done."""

    RUN_START = "run.start"
    RUN_CANCEL = "run.cancel"
    RUN_SUSPEND = "run.suspend"
    RUN_RESUME = "run.resume"
    RUN_RETRY = "run.retry"
    RUN_PRIORITIZE = "run.prioritize"
    RUN_APPROVE = "run.approve"
    RUN_REJECT = "run.reject"
    KEY_CREATE = "key.create"
    KEY_REVOKE = "key.revoke"
    CREDENTIAL_PUT = "credential.put"
    CREDENTIAL_DELETE = "credential.delete"
    CREDENTIAL_ROTATE = "credential.rotate"
    CREDENTIAL_RELEASE = "credential.release"
    DELIVERY_REDELIVER = "delivery.redeliver"
    CURSOR_RESET = "cursor.reset"
    CALL = "call"
    WORKSPACE_CREATE = "workspace.create"
    WORKSPACE_CHANGE = "workspace.change"
    WORKSPACE_RETIRE = "workspace.retire"
    BREAKER_RESET = "breaker.reset"


class ActOutcome(StrEnum):
    """What came of it."""

    DONE = "Done"
    REFUSED = "Refused"


@dataclass(frozen=True)
class Actor:
    """Who did something."""

    kind: ActorKind
    name: str
    via: str
    """How it is known that it was they."""


@dataclass(frozen=True)
class Act:
    """Something that was done, before it is an entry."""

    actor: Actor
    action: Action
    object: str
    """What it was done to, as ``run/<id>``."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    outcome: ActOutcome = ActOutcome.DONE

    def columns(self) -> dict[str, str]:
        """What is kept of it, within what each column holds."""
        return {
            "actor_kind": self.actor.kind.value,
            "actor_name": _kept(self.actor.name, _NAME_BYTES),
            "actor_via": _kept(self.actor.via, _VIA_BYTES),
            "action": self.action.value,
            "object": _kept(self.object, _OBJECT_BYTES),
            "outcome": self.outcome.value,
            "detail": _written(self.detail),
        }


@dataclass(frozen=True)
class Entry:
    """An entry of a workspace's audit log, as it lies there."""

    workspace_id: UUID
    sequence: int
    at: datetime
    actor_kind: str
    actor_name: str
    actor_via: str
    action: str
    object: str
    outcome: str
    detail: str
    """JSON, as it was written."""
    previous_hash: bytes
    hash: bytes

    def computed_hash(self) -> bytes:
        """What ``hash`` has to be."""
        return hash_of(
            b"headgate/audit-entry/1",
            self.workspace_id.bytes,
            self.sequence.to_bytes(8),
            _micros(self.at),
            self.actor_kind,
            self.actor_name,
            self.actor_via,
            self.action,
            self.object,
            self.outcome,
            self.detail,
            self.previous_hash,
        )


@dataclass(frozen=True)
class Checkpoint:
    """The head of a workspace's audit log at some time, signed."""

    workspace_id: UUID
    sequence: int
    hash: bytes
    at: datetime
    round: int
    signing_key: str
    signature: bytes

    def signed(self) -> bytes:
        """What the signature is of."""
        return hash_of(
            b"headgate/audit-checkpoint/1",
            self.workspace_id.bytes,
            self.sequence.to_bytes(8),
            self.hash,
            _micros(self.at),
            self.round.to_bytes(8),
            self.signing_key,
        )


@dataclass(frozen=True)
class Round:
    """All checkpoints that were signed at one time."""

    number: int
    at: datetime
    previous: bytes
    """The digest of the round before."""
    digest: bytes
    signing_key: str
    signature: bytes


class Cut(StrEnum):
    """What became of the entries from the first one up to an anchor."""

    MOVED = "Moved"
    """They are in the archive alone."""
    DELETED = "Deleted"
    """They are nowhere: they were kept for as long as they had to be."""


@dataclass(frozen=True)
class Anchor:
    """The last entry of what was taken from the beginning of a log, signed: what is left begins after it."""

    workspace_id: UUID
    cut: Cut
    sequence: int
    hash: bytes
    at: datetime
    signing_key: str
    signature: bytes

    def signed(self) -> bytes:
        """What the signature is of. What became of the entries is in it: moved ones cannot be told for deleted."""
        return hash_of(
            b"headgate/audit-anchor/1",
            self.workspace_id.bytes,
            self.cut.value,
            self.sequence.to_bytes(8),
            self.hash,
            _micros(self.at),
            self.signing_key,
        )


def round_digest(number: int, at: datetime, previous: bytes, heads: Iterable[tuple[UUID, int, bytes]]) -> bytes:
    """What stands for a round: its number and time, the round before it, and its heads in the order of workspaces."""
    parts = [
        part
        for workspace_id, sequence, head in sorted(heads)
        for part in (workspace_id.bytes, sequence.to_bytes(8), head)
    ]
    return hash_of(b"headgate/audit-round/1", number.to_bytes(8), _micros(at), previous, *parts)


def hash_of(*parts: bytes | str) -> bytes:
    """SHA-256 of all parts, each after its length."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(4) + data)
    return digest.digest()


def _micros(moment: datetime) -> bytes:
    return ((moment - _EPOCH) // timedelta(microseconds=1)).to_bytes(8, signed=True)


def _kept(text: str, most: int) -> str:
    """The text as Postgres can hold it, cut where it is too long."""
    data = text.encode("utf-8", "replace").replace(b"\0", b"?")
    return data[:most].decode("utf-8", "ignore")


def _written(detail: Mapping[str, Any]) -> str:
    text = json.dumps(detail, separators=(",", ":"), sort_keys=True, default=str)
    return text if len(text) <= DETAIL_BYTES else json.dumps({"omitted": f"{len(text)} bytes"})
