"""Where a process' key-encryption keys come from."""

from __future__ import annotations

from pathlib import Path

from headgate.domain.envelope import KeyRing
from headgate.domain.key_ring import KeyRingInvalid, parse_key_ring


def key_ring(text: str | None, file: str | None) -> KeyRing | None:
    """The key ring of a setting's text or of a file's; None where neither is set. See ``parse_key_ring`` for the form.

    Raises ``KeyRingInvalid``, which quotes no key, also where both are set and where the file cannot be read.
    """
    if text and file:
        raise KeyRingInvalid("set either HEADGATE_KEY_ENCRYPTION_KEYS or HEADGATE_KEY_ENCRYPTION_KEYS_FILE, not both")
    if file:
        try:
            text = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyRingInvalid(f"the file of key-encryption keys cannot be read: {type(error).__name__}") from None
        return parse_key_ring(text)
    return parse_key_ring(text) if text else None
