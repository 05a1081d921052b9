from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.members import Role
from headgate.domain.api_keys import (
    PREFIX,
    SCOPES,
    SECRET_BYTES,
    ApiKey,
    KeyState,
    NotAKey,
    Scope,
    allowed,
    excess,
    least_role,
    new_key,
    parse,
)

ACME, OTHER, KEY = UUID(int=1), UUID(int=2), UUID(int=7)
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567_"


def a_key(workspace_id: UUID = ACME, key_id: UUID = KEY, secret: bytes = bytes(range(SECRET_BYTES))) -> ApiKey:
    return new_key(workspace_id, key_id, secret)


@given(st.uuids(), st.uuids(), st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES))
def test_a_key_is_read_back_from_its_text(workspace_id: UUID, key_id: UUID, secret: bytes) -> None:
    key = new_key(workspace_id, key_id, secret)

    assert parse(key.text) == key
    assert key.text.startswith(PREFIX)
    assert len(key.text) == 96


@given(st.integers(0, 95), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed_wherever_it_is(place: int, character: str) -> None:
    text = a_key().text
    mistyped = text[:place] + character + text[place + 1 :]

    if mistyped != text:
        with pytest.raises(NotAKey):
            parse(mistyped)


def test_two_characters_that_changed_places_are_noticed() -> None:
    text = a_key().text
    for place in range(len(text) - 1):
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        if swapped != text:
            with pytest.raises(NotAKey):
                parse(swapped)


@given(st.one_of(st.text(), st.text(ALPHABET).map(lambda text: PREFIX + text)))
def test_nothing_else_is_a_key(text: str) -> None:
    with pytest.raises(NotAKey):
        parse(text)


@pytest.mark.parametrize("text", ["{KEY}", "{key}\n", " {key}", "{key}_", "hg_{key}"])
def test_a_key_has_one_text_only(text: str) -> None:
    key = a_key().text
    with pytest.raises(NotAKey):
        parse(text.format(key=key, KEY=key.upper()))


def test_too_little_randomness_makes_no_key() -> None:
    with pytest.raises(ValueError, match="20 bytes"):
        new_key(ACME, KEY, b"short")


def test_what_is_kept_fits_one_key_of_one_workspace() -> None:
    kept = a_key().hash

    assert len(kept) == 32
    assert a_key().matches(kept)
    assert not a_key(workspace_id=OTHER).matches(kept)
    assert not a_key(key_id=UUID(int=8)).matches(kept)
    assert not a_key(secret=bytes(SECRET_BYTES)).matches(kept)


def test_neither_what_is_kept_nor_what_is_printed_holds_the_secret() -> None:
    key = a_key()

    assert key.secret not in key.hash
    assert key.text.split("_")[2] not in repr(key)
    assert str(key.secret) not in repr(key)


def test_a_key_is_good_until_the_moment_it_names_and_never_once_revoked() -> None:
    def good(expires_at: datetime | None = None, revoked_at: datetime | None = None) -> bool:
        return KeyState(b"", expires_at, revoked_at).is_active(NOON)

    assert good()
    assert good(expires_at=NOON + timedelta(microseconds=1))
    assert not good(expires_at=NOON)
    assert not good(revoked_at=NOON + timedelta(hours=1))


def test_a_role_allows_all_that_a_smaller_one_does() -> None:
    assert SCOPES[Role.VIEWER] < SCOPES[Role.EDITOR] < SCOPES[Role.OWNER] == frozenset(Scope)


def test_a_key_allows_what_both_its_role_and_its_scopes_do() -> None:
    assert allowed(Role.VIEWER, Scope) == SCOPES[Role.VIEWER]
    assert allowed(Role.OWNER, [Scope.USAGE_READ]) == {Scope.USAGE_READ}


def test_nobody_gives_what_they_do_not_have() -> None:
    assert excess([Scope.RUNS_WRITE, Scope.RUNS_READ], [Scope.RUNS_READ, Scope.KEYS_MANAGE]) == (Scope.RUNS_WRITE,)
    assert excess([Scope.RUNS_READ], Scope) == ()


@pytest.mark.parametrize(
    ("scope", "role"),
    [(Scope.RUNS_READ, Role.VIEWER), (Scope.RUNS_WRITE, Role.EDITOR), (Scope.KEYS_MANAGE, Role.OWNER)],
)
def test_the_least_role_that_has_a_scope_is_named(scope: Scope, role: Role) -> None:
    assert least_role(scope) is role
