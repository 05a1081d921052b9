"""Where a process' keys come from."""

from __future__ import annotations

from pathlib import Path

from headgate.domain.audit_keys import PublicKeys, SigningKeys, parse_public_keys, parse_signing_keys
from headgate.domain.envelope import KeyRing
from headgate.domain.key_ring import KeyRingInvalid, parse_key_ring


def key_ring(text: str | None, file: str | None) -> KeyRing | None:
    """The key ring of a setting's text or of a file's; None where neither is set. See ``parse_key_ring`` for the form.

    Raises ``KeyRingInvalid``, which quotes no key, also where both are set and where the file cannot be read.
    """
    written = _written(text, file, "HEADGATE_KEY_ENCRYPTION_KEYS", "key-encryption keys")
    return None if written is None else parse_key_ring(written)


def signing_keys(text: str | None, file: str | None) -> SigningKeys | None:
    """``key_ring`` for the keys that sign heads of audit logs."""
    written = _written(text, file, "HEADGATE_AUDIT_SIGNING_KEYS", "signing keys of the audit log")
    return None if written is None else parse_signing_keys(written)


def public_keys(file: str) -> PublicKeys:
    """The public keys of a file. Raises ``KeyRingInvalid``."""
    return parse_public_keys(_read(file, "public keys of the audit log"))


def _written(text: str | None, file: str | None, setting: str, what: str) -> str | None:
    if text and file:
        raise KeyRingInvalid(f"set either {setting} or {setting}_FILE, not both")
    return _read(file, what) if file else text or None


def _read(file: str, what: str) -> str:
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyRingInvalid(f"the file of {what} cannot be read: {type(error).__name__}") from None
