"""Key-encryption keys as an administrator writes them down."""

from __future__ import annotations

import base64

import pytest

from headgate.domain.key_ring import KeyRingInvalid, parse_key_ring

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_the_first_key_is_the_current_one() -> None:
    ring = parse_key_ring(f"# made in November\n\n 2026-11: {text(NEW)} \r\n2026-01:{text(OLD)}\n")

    assert ring.current == "2026-11"
    assert ring.keys == {"2026-11": NEW, "2026-01": OLD}


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("", "there is no key-encryption key"),
        ("# nothing\n", "there is no key-encryption key"),
        (text(NEW), "line 1 of the key-encryption keys: write '<id>: <key>'"),
        (f"a b: {text(NEW)}", "line 1 .* write '<id>: <key>'"),
        (f"{'x' * 65}: {text(NEW)}", "64 characters at most"),
        (f"one: {text(NEW)}\none: {text(OLD)}", "line 2 .* one is there twice"),
        (f"one: {text(NEW)}\ntwo: {text(NEW)}", "line 2 .* two is the same key under another id"),
        ("one: not/base64?", "line 1 .* one is not base64"),
        ("one: ключ", "line 1 .* one is not base64"),
        (f"one: {text(NEW[:16])}", "line 1 .* one has 16 bytes, not 32"),
        ("one:", "line 1 .* one has 0 bytes, not 32"),
        (f"one: {text(bytes(32))}", "line 1 .* one byte over and over"),
        ("\n".join(f"k{n}: {text(bytes([n]) + NEW[1:])}" for n in range(33)), "there are 33 .* the limit is 32"),
    ],
)
def test_what_cannot_be_used_is_named_without_a_key(written: str, problem: str) -> None:
    with pytest.raises(KeyRingInvalid, match=problem) as refused:
        parse_key_ring(written)

    assert text(NEW)[:8] not in str(refused.value)
