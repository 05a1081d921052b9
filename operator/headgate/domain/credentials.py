"""What a credential may be: its name, its kind, and values that never show by accident."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from headgate.api.scalars import SUBDOMAIN_PATTERN

NAME_CHARACTERS = 253
KIND_CHARACTERS = 63
AUTHOR_BYTES = 512
MOST_VALUES = 32
"""Values of a credential at most."""
VALUES_BYTES = 32_768
"""Bytes of all values of a credential, with their keys, as JSON."""
MOST_CREDENTIALS = 500
"""Credentials of a workspace at most."""
_KIND = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


class CredentialInvalid(ValueError):  # noqa: N818 - what is wrong with what was handed in
    """A credential that cannot be kept as it is; the message says what to change, and quotes no value."""


@dataclass(frozen=True)
class Values:
    """What a credential holds, by key. Neither ``repr`` nor ``str`` shows it."""

    by_key: Mapping[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ``CredentialInvalid`` for what cannot be kept, or could not be handed to a node."""
        if not 1 <= len(self.by_key) <= MOST_VALUES:
            raise CredentialInvalid(f"a credential has from 1 to {MOST_VALUES} values, not {len(self.by_key)}")
        for key, value in self.by_key.items():
            if not _is_text(key) or not _KEY.fullmatch(key):
                raise CredentialInvalid(
                    "the keys of a credential have letters, digits, '-', '_' and '.' only, up to 253"
                )
            if not _is_text(value):
                raise CredentialInvalid(f"the value of {key} is no text")
            if "\x00" in value:
                raise CredentialInvalid(f"the value of {key} contains the character U+0000")
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise CredentialInvalid(f"the value of {key} contains half of a character (a lone surrogate)")
        object.__setattr__(self, "by_key", MappingProxyType(dict(self.by_key)))
        if (size := len(self.encode())) > VALUES_BYTES:
            raise CredentialInvalid(f"the values have {size} bytes as JSON; the limit is {VALUES_BYTES}")

    def only(self, keys: Iterable[str]) -> Values:
        """The values of these keys. Raises ``KeyError`` with the first key that there is not."""
        return Values({key: self.by_key[key] for key in sorted(keys)})

    def encode(self) -> bytes:
        """As JSON in UTF-8, the same for the same values."""
        return json.dumps(dict(self.by_key), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, content: bytes) -> Values:
        """What ``encode`` gave. Raises ``CredentialInvalid``, which quotes nothing of it."""
        try:
            read = json.loads(content)
        except (ValueError, RecursionError):
            raise CredentialInvalid("the values are not JSON") from None
        if not isinstance(read, dict):
            raise CredentialInvalid("the values are no JSON object")
        return cls(read)


def check_credential(name: str, kind: str, by: str) -> None:
    """Raise ``CredentialInvalid`` unless a credential may have that name and kind, and be put by that person."""
    if len(name) > NAME_CHARACTERS or not re.fullmatch(SUBDOMAIN_PATTERN, name) or name.endswith("\n"):
        raise CredentialInvalid(
            f"a credential's name has lower-case letters, digits, '-' and '.' only, {NAME_CHARACTERS} at most"
        )
    if len(kind) > KIND_CHARACTERS or not _KIND.fullmatch(kind):
        raise CredentialInvalid(
            f"a credential's kind has lower-case letters, digits and '-' only, {KIND_CHARACTERS} at most"
        )
    if not by or len(by.encode("utf-8", "replace")) > AUTHOR_BYTES or not by.isprintable():
        raise CredentialInvalid(f"who puts a credential has a name of {AUTHOR_BYTES} bytes at most")


def _is_text(value: object) -> bool:
    """Whether it is what its type says: what was read from outside may be anything."""
    return isinstance(value, str)
