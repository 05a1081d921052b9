"""What a credential may be."""

from __future__ import annotations

from typing import Any, cast

import pytest

from headgate.domain.credentials import VALUES_BYTES, CredentialInvalid, Values, check_credential

SECRET = "hunter2"


def test_the_largest_values_are_kept() -> None:
    room = VALUES_BYTES - len('{"k":""}')

    assert Values.decode(Values({"k": "x" * room}).encode()).by_key == {"k": "x" * room}
    with pytest.raises(CredentialInvalid, match=f"{VALUES_BYTES + 1} bytes as JSON; the limit is {VALUES_BYTES}"):
        Values({"k": "x" * (room + 1)})


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "from 1 to 32 values, not 0"),
        ({f"k{n}": SECRET for n in range(33)}, "from 1 to 32 values, not 33"),
        ({f"a {SECRET}": SECRET}, "the keys of a credential have letters"),
        ({"": SECRET}, "the keys of a credential have letters"),
        ({1: SECRET}, "the keys of a credential have letters"),
        ({"k": 7}, "the value of k is no text"),
        ({"k": f"{SECRET}\x00"}, r"the value of k contains the character U\+0000"),
        ({"k": f"{SECRET}\ud800"}, "the value of k contains half of a character"),
    ],
)
def test_values_that_cannot_be_kept_are_refused_without_a_word_of_them(values: Any, problem: str) -> None:
    with pytest.raises(CredentialInvalid, match=problem) as refused:
        Values(cast("dict[str, str]", values))

    assert SECRET not in str(refused.value)


def test_values_do_not_change() -> None:
    given = {"k": SECRET}
    values = Values(given)
    given["k"] = "another"

    assert values.by_key == {"k": SECRET}
    with pytest.raises(TypeError):
        cast("dict[str, str]", values.by_key)["k"] = "another"


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"k": 1}', b"[" * 100_000])
def test_what_is_no_form_of_values_is_refused(content: bytes) -> None:
    with pytest.raises(CredentialInvalid):
        Values.decode(content)


@pytest.mark.parametrize(
    ("name", "kind", "by", "problem"),
    [
        ("Shop", "token", "alice", "a credential's name"),
        ("", "token", "alice", "a credential's name"),
        ("shop\n", "token", "alice", "a credential's name"),
        ("a" * 254, "token", "alice", "a credential's name"),
        ("shop", "Token", "alice", "a credential's kind"),
        ("shop", "a" * 64, "alice", "a credential's kind"),
        ("shop", "token", "", "who puts a credential"),
        ("shop", "token", "a\nb", "who puts a credential"),
        ("shop", "token", "a" * 513, "who puts a credential"),
    ],
)
def test_names_and_kinds_have_a_form(name: str, kind: str, by: str, problem: str) -> None:
    with pytest.raises(CredentialInvalid, match=problem):
        check_credential(name, kind, by)


def test_what_has_the_form_is_fine() -> None:
    check_credential("shop.example-2", "postgres-url", "system:serviceaccount:acme:deployer")
