"""Keys as an administrator writes them down: those that encrypt keys, and others in the same form."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from headgate.domain.envelope import KEY_BYTES, KeyRing

_ID = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,62}[A-Za-z0-9])?")
MOST_KEYS = 32


class KeyRingInvalid(ValueError):  # noqa: N818 - what is wrong with a setting
    """Keys that cannot be used as they are written; the message says which line, and quotes no key."""


@dataclass(frozen=True)
class KeyWords:
    """What keys are called where something is wrong with them."""

    one: str
    many: str


_ENCRYPTING = KeyWords("key-encryption key", "key-encryption keys")


def parse_key_ring(text: str) -> KeyRing:
    """The key ring of a text with one ``<id>: <base64 of 32 bytes>`` a line. The first one is the current one.

    Empty lines, and those that begin with ``#``, are left out. Raises ``KeyRingInvalid``.
    """
    keys = parse_keys(text, _ENCRYPTING)
    return KeyRing(next(iter(keys)), keys)


def parse_keys(text: str, words: KeyWords) -> dict[str, bytes]:
    """The keys of such a text by id, in their order; there is one at least. Raises ``KeyRingInvalid``."""
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"line {number} of the {words.many}"
        key_id, colon, encoded = (part.strip() for part in line.partition(":"))
        if not colon or not _ID.fullmatch(key_id):
            # Not even the id is quoted: what stands in its place may be the key.
            raise KeyRingInvalid(
                f"{where}: write '<id>: <key>', the id with letters, digits, '-', '_' and '.' only, 64 characters at "
                "most"
            )
        if key_id in keys:
            raise KeyRingInvalid(f"{where}: {key_id} is there twice")
        key = _key(encoded, f"{where}: {key_id}")
        if key in keys.values():
            raise KeyRingInvalid(f"{where}: {key_id} is the same key under another id")
        keys[key_id] = key
    if not keys:
        raise KeyRingInvalid(f"there is no {words.one}: write '<id>: <base64 of 32 random bytes>'")
    if len(keys) > MOST_KEYS:
        raise KeyRingInvalid(f"there are {len(keys)} {words.one}s; the limit is {MOST_KEYS}")
    return keys


def _key(encoded: str, where: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KeyRingInvalid(f"{where} is not base64") from None
    if len(key) != KEY_BYTES:
        raise KeyRingInvalid(f"{where} has {len(key)} bytes, not {KEY_BYTES}: make one with `openssl rand -base64 32`")
    if len(set(key)) == 1:
        raise KeyRingInvalid(f"{where} is one byte over and over: make one with `openssl rand -base64 32`")
    return key
