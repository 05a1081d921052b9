"""Keys that sign the heads of audit logs, and the public ones that tell whether they did: Ed25519, RFC 8032."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from headgate.domain.key_ring import KeyWords, parse_keys

SIGNING = KeyWords("signing key", "signing keys of the audit log")
PUBLIC = KeyWords("public key", "public keys of the audit log")


@dataclass(frozen=True)
class PublicKeys:
    """Tells what was signed by whom."""

    keys: Mapping[str, bytes]

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", MappingProxyType(dict(self.keys)))

    def signed(self, key_id: str, signature: bytes, message: bytes) -> bool | None:
        """Whether the key of that id signed the message; None where there is no such key here."""
        key = self.keys.get(key_id)
        if key is None:
            return None
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def text(self) -> str:
        """As ``parse_public_keys`` reads it."""
        return "".join(f"{key_id}: {base64.b64encode(key).decode()}\n" for key_id, key in self.keys.items())


@dataclass(frozen=True)
class SigningKeys:
    """Private keys by id. The current one signs; the others are there for what they signed."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError(f"the current signing key {self.current} is not among the keys")
        object.__setattr__(self, "keys", MappingProxyType(dict(self.keys)))

    def sign(self, message: bytes) -> bytes:
        """The current key's signature, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.keys[self.current]).sign(message)

    def public(self) -> PublicKeys:
        """What tells whether any of the keys signed something."""
        return PublicKeys(
            {
                key_id: Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
                for key_id, key in self.keys.items()
            }
        )


def parse_signing_keys(text: str) -> SigningKeys:
    """The keys of a text with one ``<id>: <base64 of 32 bytes>`` a line, the current one first.

    Raises ``KeyRingInvalid``.
    """
    keys = parse_keys(text, SIGNING)
    return SigningKeys(next(iter(keys)), keys)


def parse_public_keys(text: str) -> PublicKeys:
    """The keys of a text as ``PublicKeys.text`` gives it. Raises ``KeyRingInvalid``."""
    return PublicKeys(parse_keys(text, PUBLIC))
