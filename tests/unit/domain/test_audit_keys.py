"""Keys of the audit log, as an administrator writes them down."""

from __future__ import annotations

import base64

import pytest

from headgate.domain.audit_keys import parse_public_keys, parse_signing_keys
from headgate.domain.key_ring import KeyRingInvalid

OLD, NEW = (
    f"{name}: {base64.b64encode(bytes(range(start, start + 32))).decode()}" for name, start in (("a", 0), ("b", 9))
)


def test_the_first_key_signs_and_all_are_believed() -> None:
    keys = parse_signing_keys(f"{NEW}\n{OLD}\n")
    public = parse_public_keys(keys.public().text())

    assert keys.current == "b"
    assert public == keys.public()
    assert public.signed("b", keys.sign(b"head"), b"head") is True
    assert public.signed("b", keys.sign(b"head"), b"tail") is False
    assert public.signed("a", keys.sign(b"head"), b"head") is False
    assert public.signed("c", keys.sign(b"head"), b"head") is None


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("", "there is no signing key: write"),
        ("key", "line 1 of the signing keys of the audit log: write '<id>: <key>'"),
        ("a: x", "line 1 of the signing keys of the audit log: a is not base64"),
        (f"{OLD}\n{OLD}", "a is there twice"),
    ],
)
def test_what_is_wrong_is_told_without_a_key(written: str, problem: str) -> None:
    with pytest.raises(KeyRingInvalid) as raised:
        parse_signing_keys(written)
    assert problem in str(raised.value)
    assert OLD.split()[1] not in str(raised.value)


def test_no_key_shows_in_what_is_printed() -> None:
    assert "AAEC" not in repr(parse_signing_keys(OLD))
    assert "\\x01" not in repr(parse_signing_keys(OLD))
