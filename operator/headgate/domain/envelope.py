"""Envelope encryption: a key-encryption key wraps a workspace's data keys, and a data key seals its credentials.

Both by AES-256-GCM as in NIST SP 800-38D, with a nonce of 96 bits and a tag of 128. Nonces are drawn at random, so
that one key may seal 2**32 times at most (section 8.3 there). Everything that says what a ciphertext belongs to is
associated data: moved to another workspace, credential or version it cannot be opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headgate.domain.credentials import CredentialInvalid, Values

if TYPE_CHECKING:
    from uuid import UUID

KEY_BYTES = 32
"""Length of every key: AES-256."""
NONCE_BYTES = 12
"""Length of every nonce. Each has to be drawn anew from a source that nobody can predict."""
OVERHEAD_BYTES = NONCE_BYTES + 16
"""What a ciphertext has more than what is in it: the nonce before, the tag behind."""
_WRAP, _SEAL, _BODY = b"headgate/data-key/1", b"headgate/credential/1", b"headgate/webhook-body/1"


class CannotOpen(Exception):  # noqa: N818 - a state of the world, not a mistake
    """A ciphertext that was changed, or that belongs elsewhere. Never says more, whatever is wrong with it."""

    def __init__(self) -> None:
        super().__init__("what is stored cannot be decrypted: it was changed, or belongs elsewhere")


class UnknownKey(Exception):  # noqa: N818 - a state of the world, not a mistake
    """A data key is wrapped by a key-encryption key that this process was not given."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the key-encryption key {key_id} is not among those that Headgate was given: add it again")


@dataclass(frozen=True)
class Place:
    """What a sealed credential belongs to."""

    workspace_id: UUID
    credential_id: UUID
    name: str
    kind: str
    version: int


@dataclass(frozen=True)
class DeliveryPlace:
    """What the sealed body of a webhook's delivery belongs to."""

    workspace_id: UUID
    hook: str
    format: str
    message_id: str


@dataclass(frozen=True)
class Sealed:
    """The values of a credential, or the body of a delivery, under a data key."""

    data_key_id: UUID
    box: bytes = field(repr=False)
    """Nonce, ciphertext and tag."""


@dataclass(frozen=True)
class WrappedKey:
    """A workspace's data key under a key-encryption key."""

    workspace_id: UUID
    id: UUID
    key_encryption_key: str
    box: bytes = field(repr=False)
    """Nonce, ciphertext and tag: 60 bytes."""


@dataclass(frozen=True)
class DataKey:
    """A key that seals the credentials of one workspace."""

    workspace_id: UUID
    id: UUID
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a data key has {KEY_BYTES} bytes, not {len(self.secret)}")

    def seal(self, place: Place, values: Values, nonce: bytes) -> Sealed:
        """The values, readable again only for that place and by this key. ``nonce``: 12 bytes, never used before."""
        self._check(place)
        return Sealed(self.id, _encrypted(self.secret, nonce, values.encode(), self._bound_to(place)))

    def open(self, place: Place, sealed: Sealed) -> Values:
        """What was sealed for that place. Raises ``CannotOpen``."""
        if place.workspace_id != self.workspace_id or sealed.data_key_id != self.id:
            raise CannotOpen
        try:
            return Values.decode(_decrypted(self.secret, sealed.box, self._bound_to(place)))
        except CredentialInvalid:
            raise CannotOpen from None

    def seal_body(self, place: DeliveryPlace, body: bytes, nonce: bytes) -> Sealed:
        """``seal`` for the body of a delivery."""
        self._check(place)
        return Sealed(self.id, _encrypted(self.secret, nonce, body, self._bound_to_delivery(place)))

    def open_body(self, place: DeliveryPlace, sealed: Sealed) -> bytes:
        """The body that was sealed for that place. Raises ``CannotOpen``."""
        if place.workspace_id != self.workspace_id or sealed.data_key_id != self.id:
            raise CannotOpen
        return _decrypted(self.secret, sealed.box, self._bound_to_delivery(place))

    def _check(self, place: Place | DeliveryPlace) -> None:
        if place.workspace_id != self.workspace_id:
            raise ValueError("a data key seals for its own workspace only")

    def _bound_to(self, place: Place) -> bytes:
        return _joined(
            _SEAL,
            place.workspace_id.bytes,
            self.id.bytes,
            place.credential_id.bytes,
            place.version.to_bytes(8),
            place.name.encode(),
            place.kind.encode(),
        )

    def _bound_to_delivery(self, place: DeliveryPlace) -> bytes:
        return _joined(
            _BODY,
            place.workspace_id.bytes,
            self.id.bytes,
            place.hook.encode(),
            place.format.encode(),
            place.message_id.encode(),
        )


@dataclass(frozen=True)
class KeyRing:
    """Key-encryption keys by id. All of them unwrap; the current one wraps."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError(f"the current key-encryption key {self.current} is not among the keys")
        for key_id, key in self.keys.items():
            if len(key) != KEY_BYTES:
                raise ValueError(f"key-encryption key {key_id} has {len(key)} bytes, not {KEY_BYTES}")
        object.__setattr__(self, "keys", MappingProxyType(dict(self.keys)))

    def wrap(self, key: DataKey, nonce: bytes) -> WrappedKey:
        """The data key under the current key. ``nonce``: 12 bytes, never used before."""
        bound_to = _wrapped_for(key.workspace_id, key.id, self.current)
        box = _encrypted(self.keys[self.current], nonce, key.secret, bound_to)
        return WrappedKey(key.workspace_id, key.id, self.current, box)

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        """The data key. Raises ``UnknownKey`` where its key-encryption key is missing here, and ``CannotOpen``."""
        key = self.keys.get(wrapped.key_encryption_key)
        if key is None:
            raise UnknownKey(wrapped.key_encryption_key)
        bound_to = _wrapped_for(wrapped.workspace_id, wrapped.id, wrapped.key_encryption_key)
        secret = _decrypted(key, wrapped.box, bound_to)
        if len(secret) != KEY_BYTES:
            raise CannotOpen
        return DataKey(wrapped.workspace_id, wrapped.id, secret)


def _wrapped_for(workspace_id: UUID, data_key_id: UUID, key_id: str) -> bytes:
    return _joined(_WRAP, workspace_id.bytes, data_key_id.bytes, key_id.encode())


def _joined(*parts: bytes) -> bytes:
    """All parts, each after its length: no two lists of parts give the same."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _encrypted(key: bytes, nonce: bytes, content: bytes, bound_to: bytes) -> bytes:
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    return nonce + AESGCM(key).encrypt(nonce, content, bound_to)


def _decrypted(key: bytes, box: bytes, bound_to: bytes) -> bytes:
    if len(box) < OVERHEAD_BYTES:
        raise CannotOpen
    try:
        return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], bound_to)
    except InvalidTag:
        raise CannotOpen from None
