"""API keys: what one looks like, what of it is kept, and what it allows.

    hg_<workspace and key>_<secret>_<checksum>

All parts are lower-case base32. The first names the workspace and the key, so that a key is looked up in its own
workspace and nowhere else. The secret has 160 random bits, which nobody guesses: one round of SHA-256 hides it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from headgate.api.members import Role

PREFIX = "hg_"
"""What every key begins with, so that scanners of code and logs can tell one."""
SECRET_BYTES = 20
"""Random bytes in a key."""
_ID_BYTES = 16
_PARTS = 3


class Scope(StrEnum):
    """What a caller may do."""

    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    WORKFLOWS_READ = "workflows:read"
    USAGE_READ = "usage:read"
    KEYS_MANAGE = "keys:manage"
    CREDENTIALS_MANAGE = "credentials:manage"
    AUDIT_READ = "audit:read"


_READ = frozenset({Scope.RUNS_READ, Scope.WORKFLOWS_READ, Scope.USAGE_READ})
SCOPES: Mapping[Role, frozenset[Scope]] = MappingProxyType(
    {Role.VIEWER: _READ, Role.EDITOR: _READ | {Scope.RUNS_WRITE}, Role.OWNER: frozenset(Scope)}
)
"""What each role allows. A key may allow less, and never more."""


class NotAKey(ValueError):  # noqa: N818 - what was given, not a failure
    """A text that no key can be: mistyped, cut off, or something else. The message does not repeat it."""


@dataclass(frozen=True)
class ApiKey:
    """A key as its owner has it."""

    workspace_id: UUID
    id: UUID
    secret: bytes

    def __repr__(self) -> str:
        """Without the secret, whatever prints it."""
        return f"ApiKey(workspace_id={self.workspace_id}, id={self.id})"

    @property
    def text(self) -> str:
        """The key as it is handed out, once."""
        body = f"{PREFIX}{_encoded(self.workspace_id.bytes + self.id.bytes)}_{_encoded(self.secret)}"
        return f"{body}_{_checksum(body)}"

    @property
    def hash(self) -> bytes:
        """What is kept of it, 32 bytes: bound to workspace and id, so that it is worth nothing in another row."""
        return hashlib.sha256(b"headgate api key 1\0" + self.workspace_id.bytes + self.id.bytes + self.secret).digest()

    def matches(self, kept: bytes) -> bool:
        """Whether ``kept`` is of this key. Takes the same time wherever they differ."""
        return hmac.compare_digest(self.hash, kept)


def new_key(workspace_id: UUID, key_id: UUID, random: bytes) -> ApiKey:
    """A key of ``SECRET_BYTES`` unpredictable bytes. Raises ``ValueError`` for any other number."""
    if len(random) != SECRET_BYTES:
        raise ValueError(f"an API key takes {SECRET_BYTES} bytes of randomness")
    return ApiKey(workspace_id, key_id, random)


def parse(text: str) -> ApiKey:
    """The key that is written so. Raises ``NotAKey``, for a single mistyped character too, without any look-up."""
    parts = text.removeprefix(PREFIX).split("_")
    if not text.isascii() or not text.startswith(PREFIX) or len(parts) != _PARTS:
        raise NotAKey("the API key is not whole: copy all of it, from hg_ on")
    ids, secret = _decoded(parts[0]), _decoded(parts[1])
    whole = len(ids) == 2 * _ID_BYTES and len(secret) == SECRET_BYTES
    key = ApiKey(UUID(bytes=ids[:_ID_BYTES]), UUID(bytes=ids[_ID_BYTES:]), secret) if whole else None
    # By its text rather than its checksum: the same bytes in another spelling are no second key.
    if key is None or key.text != text:
        raise NotAKey("the API key is mistyped: copy all of it again")
    return key


@dataclass(frozen=True)
class KeyState:
    """What decides whether a key is good."""

    hash: bytes
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_active(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired. It ends with the very moment that it names."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def allowed(role: Role, scopes: Iterable[Scope]) -> frozenset[Scope]:
    """What a key with that role and those scopes allows."""
    return SCOPES[role] & frozenset(scopes)


def excess(wanted: Iterable[Scope], giver: Iterable[Scope]) -> tuple[Scope, ...]:
    """Scopes that the giver does not have, and so cannot give to a key."""
    return tuple(sorted(frozenset(wanted) - frozenset(giver)))


def least_role(scope: Scope) -> Role:
    """The role with the fewest rights that has the scope."""
    return next(role for role in (Role.VIEWER, Role.EDITOR, Role.OWNER) if scope in SCOPES[role])


def _encoded(value: bytes) -> str:
    return base64.b32encode(value).decode().rstrip("=").lower()


def _decoded(text: str) -> bytes:
    try:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error:
        raise NotAKey("the API key has characters that none has") from None


def _checksum(body: str) -> str:
    return _encoded(zlib.crc32(body.encode()).to_bytes(4))
