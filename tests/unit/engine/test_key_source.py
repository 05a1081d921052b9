"""Where a process' key-encryption keys come from."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from headgate.domain.key_ring import KeyRingInvalid
from headgate.engine.credentials.key_source import key_ring
from headgate.settings import GatewaySettings

KEY = bytes(range(32))
TEXT = f"one: {base64.b64encode(KEY).decode()}"


def test_keys_come_from_a_text_or_a_file_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{TEXT}\n")

    for ring in (key_ring(TEXT, None), key_ring(None, str(file)), key_ring("", str(file))):
        assert ring is not None
        assert (ring.current, ring.keys) == ("one", {"one": KEY})
    assert key_ring(None, None) is None


def test_an_empty_file_is_a_mistake_and_not_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("")

    with pytest.raises(KeyRingInvalid, match="there is no key-encryption key"):
        key_ring(None, str(file))


def test_both_at_once_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyRingInvalid, match="not both"):
        key_ring(TEXT, "keys")
    with pytest.raises(KeyRingInvalid, match="cannot be read: FileNotFoundError"):
        key_ring(None, str(tmp_path / "keys"))
    (tmp_path / "binary").write_bytes(b"\xff" * 32)
    with pytest.raises(KeyRingInvalid, match="cannot be read: UnicodeDecodeError"):
        key_ring(None, str(tmp_path / "binary"))


def test_settings_do_not_show_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_DATABASE_URL", "postgresql://headgate@db/headgate")
    monkeypatch.setenv("HEADGATE_KEY_ENCRYPTION_KEYS", TEXT)

    assert TEXT[-20:] not in repr(GatewaySettings())
