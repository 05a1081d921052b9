"""A gateway whose key-encryption keys cannot be used says so, and does not start."""

from __future__ import annotations

import os
import subprocess
import sys


def test_keys_that_cannot_be_used_end_the_gateway_with_a_sentence() -> None:
    environment = os.environ | {
        "HEADGATE_DATABASE_URL": "postgresql://headgate@127.0.0.1:1/headgate",
        "HEADGATE_KEY_ENCRYPTION_KEYS": "one: c2hvcnQ=",
    }

    ended = subprocess.run(
        [sys.executable, "-m", "headgate.cli.entry", "gateway"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert "headgate: line 1 of the key-encryption keys: one has 5 bytes, not 32" in ended.stderr
    assert "c2hvcnQ" not in ended.stdout + ended.stderr
