"""Where commands get the keys that sign heads of audit logs."""

from __future__ import annotations

import os

from headgate.domain.audit_keys import SigningKeys
from headgate.engine.credentials.key_source import signing_keys

KEYS, KEYS_FILE = "HEADGATE_AUDIT_SIGNING_KEYS", "HEADGATE_AUDIT_SIGNING_KEYS_FILE"


def from_environment() -> SigningKeys | None:
    """The keys as the operator is given them; None where there are none. Raises ``KeyRingInvalid``."""
    return signing_keys(os.environ.get(KEYS), os.environ.get(KEYS_FILE))
