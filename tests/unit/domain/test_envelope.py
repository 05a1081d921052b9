"""Envelope encryption: what comes back, and what must never."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import assume, given
from hypothesis import strategies as st

from headgate.domain.credentials import Values
from headgate.domain.envelope import CannotOpen, DataKey, DeliveryPlace, KeyRing, Place, Sealed, UnknownKey, WrappedKey

ACME, OTHER = UUID(int=1), UUID(int=2)
SECRET = "hunter2-and-more"
KEYS = st.binary(min_size=32, max_size=32)
NONCES = st.binary(min_size=12, max_size=12)
NAMES = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200)
VALUES = st.dictionaries(st.from_regex(r"[-._a-zA-Z0-9]{1,20}", fullmatch=True), TEXTS, min_size=1, max_size=5)
VERSIONS = st.integers(1, 2**31 - 1)
PLACES = st.builds(Place, st.just(ACME), st.uuids(), NAMES, NAMES, VERSIONS)
RINGS = st.builds(lambda one, two: KeyRing("new", {"old": one, "new": two}), KEYS, KEYS)
DATA_KEYS = st.builds(DataKey, st.just(ACME), st.uuids(), KEYS)


def turned(box: bytes, bit: int) -> bytes:
    """The same with one bit turned."""
    at = bit % (len(box) * 8)
    return bytes(byte ^ (1 << at % 8) if index == at // 8 else byte for index, byte in enumerate(box))


def assert_refused(key: DataKey, place: Place, sealed: Sealed) -> None:
    with pytest.raises(CannotOpen) as refused:
        key.open(place, sealed)
    assert str(refused.value) == "what is stored cannot be decrypted: it was changed, or belongs elsewhere"
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@given(DATA_KEYS, PLACES, VALUES, NONCES)
def test_what_is_sealed_is_read_again(key: DataKey, place: Place, values: dict[str, str], nonce: bytes) -> None:
    assert key.open(place, key.seal(place, Values(values), nonce)).by_key == values


@given(RINGS, DATA_KEYS, NONCES)
def test_a_wrapped_key_is_read_again_also_when_another_one_has_become_current(
    ring: KeyRing, key: DataKey, nonce: bytes
) -> None:
    wrapped = ring.wrap(key, nonce)

    assert wrapped.key_encryption_key == "new"
    assert len(wrapped.box) == 60
    assert KeyRing("old", ring.keys).unwrap(wrapped) == key


def test_the_form_is_nonce_ciphertext_and_tag_of_aes_256_gcm_with_all_of_the_place_as_associated_data() -> None:
    key = DataKey(ACME, UUID(int=7), bytes(range(32)))
    place = Place(ACME, UUID(int=9), "shop", "token", 3)
    bound = [b"headgate/credential/1", ACME.bytes, key.id.bytes, place.credential_id.bytes, (3).to_bytes(8)]
    bound += [b"shop", b"token"]
    associated = b"".join(len(part).to_bytes(4) + part for part in bound)

    sealed = key.seal(place, Values({"key": "v"}), b"n" * 12)

    assert sealed.box[:12] == b"n" * 12
    assert AESGCM(key.secret).decrypt(b"n" * 12, sealed.box[12:], associated) == b'{"key":"v"}'


@given(DATA_KEYS, PLACES, VALUES, NONCES, st.integers(0))
def test_no_bit_of_a_sealed_credential_can_be_turned(
    key: DataKey, place: Place, values: dict[str, str], nonce: bytes, bit: int
) -> None:
    sealed = key.seal(place, Values(values), nonce)

    assert_refused(key, place, replace(sealed, box=turned(sealed.box, bit)))


@given(RINGS, DATA_KEYS, NONCES, st.integers(0))
def test_no_bit_of_a_wrapped_key_can_be_turned(ring: KeyRing, key: DataKey, nonce: bytes, bit: int) -> None:
    wrapped = ring.wrap(key, nonce)

    with pytest.raises(CannotOpen):
        ring.unwrap(replace(wrapped, box=turned(wrapped.box, bit)))


@pytest.mark.parametrize("length", [0, 1, 12, 27])
def test_what_is_cut_short_is_refused(length: int) -> None:
    key = DataKey(ACME, UUID(int=7), bytes(range(32)))
    place = Place(ACME, UUID(int=9), "shop", "token", 3)
    sealed = key.seal(place, Values({"key": SECRET}), b"n" * 12)

    assert_refused(key, place, replace(sealed, box=sealed.box[:length]))


@given(DATA_KEYS, PLACES, PLACES, VALUES, NONCES, st.sampled_from(["credential_id", "name", "kind", "version"]))
def test_a_sealed_credential_opens_only_where_it_belongs(
    key: DataKey, place: Place, other: Place, values: dict[str, str], nonce: bytes, field: str
) -> None:
    elsewhere = replace(place, **{field: getattr(other, field)})
    assume(elsewhere != place)

    assert_refused(key, elsewhere, key.seal(place, Values(values), nonce))


@given(st.uuids(), KEYS, PLACES, VALUES, NONCES)
def test_the_same_key_bytes_in_another_workspace_open_nothing(
    key_id: UUID, secret: bytes, place: Place, values: dict[str, str], nonce: bytes
) -> None:
    sealed = DataKey(ACME, key_id, secret).seal(place, Values(values), nonce)

    assert_refused(DataKey(OTHER, key_id, secret), replace(place, workspace_id=OTHER), sealed)
    assert_refused(DataKey(OTHER, key_id, secret), place, sealed)


@given(DATA_KEYS, st.uuids(), PLACES, VALUES, NONCES)
def test_the_same_key_bytes_under_another_id_open_nothing(
    key: DataKey, other: UUID, place: Place, values: dict[str, str], nonce: bytes
) -> None:
    assume(other != key.id)
    sealed = key.seal(place, Values(values), nonce)

    assert_refused(replace(key, id=other), place, replace(sealed, data_key_id=other))
    assert_refused(replace(key, id=other), place, sealed)


@given(RINGS, DATA_KEYS, NONCES, st.uuids(), st.sampled_from(["workspace_id", "id", "key_encryption_key"]))
def test_a_wrapped_key_is_unwrapped_only_where_it_belongs(
    ring: KeyRing, key: DataKey, nonce: bytes, other: UUID, field: str
) -> None:
    wrapped = ring.wrap(key, nonce)
    changed: dict[str, Any] = {field: "old" if field == "key_encryption_key" else other}
    elsewhere = replace(wrapped, **changed)
    assume(elsewhere != wrapped)

    with pytest.raises(CannotOpen):
        ring.unwrap(elsewhere)


def test_names_and_kinds_cannot_be_parted_otherwise() -> None:
    key = DataKey(ACME, UUID(int=7), bytes(range(32)))
    place = Place(ACME, UUID(int=9), "shop", "token", 3)

    assert_refused(key, replace(place, name="shopt", kind="oken"), key.seal(place, Values({"k": "v"}), b"n" * 12))


def test_a_data_key_seals_for_its_own_workspace_only() -> None:
    key = DataKey(ACME, UUID(int=7), bytes(range(32)))

    with pytest.raises(ValueError, match="its own workspace"):
        key.seal(Place(OTHER, UUID(int=9), "shop", "token", 1), Values({"key": SECRET}), b"n" * 12)


def test_a_key_that_was_taken_away_is_named() -> None:
    wrapped = KeyRing("old", {"old": bytes(range(32))}).wrap(DataKey(ACME, UUID(int=7), b"k" * 32), b"n" * 12)

    with pytest.raises(UnknownKey, match="the key-encryption key old is not among those"):
        KeyRing("new", {"new": bytes(32)}).unwrap(wrapped)


@pytest.mark.parametrize("length", [0, 11, 13, 16])
def test_nonces_of_another_length_are_refused(length: int) -> None:
    key = DataKey(ACME, UUID(int=7), bytes(range(32)))

    with pytest.raises(ValueError, match="12 bytes"):
        key.seal(Place(ACME, UUID(int=9), "shop", "token", 1), Values({"key": SECRET}), bytes(length))


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_keys_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"{length}"):
        DataKey(ACME, UUID(int=7), bytes(length))
    with pytest.raises(ValueError, match=f"{length}"):
        KeyRing("one", {"one": bytes(length)})


def test_the_current_key_is_one_of_the_keys() -> None:
    with pytest.raises(ValueError, match="not among the keys"):
        KeyRing("two", {"one": bytes(32)})


def shown() -> list[tuple[str, Any]]:
    """One of every object, with all that must not show."""
    key = DataKey(ACME, UUID(int=7), b"K" * 32)
    ring = KeyRing("one", {"one": b"R" * 32})
    values = Values({"password": SECRET})
    sealed = key.seal(Place(ACME, UUID(int=9), "shop", "token", 1), values, b"N" * 12)
    wrapped: WrappedKey = ring.wrap(key, b"N" * 12)
    return [(type(made).__name__, made) for made in (key, ring, values, sealed, wrapped)]


@pytest.mark.parametrize(("_name", "made"), shown(), ids=[name for name, _ in shown()])
def test_nothing_secret_shows(_name: str, made: Any) -> None:
    said = f"{made!r} {made} {[made]}"

    assert not [secret for secret in (SECRET, "KKKK", "RRRR", "NNNN", "box", "password") if secret in said]


class TestBodiesOfDeliveries:
    PLACE = DeliveryPlace(ACME, "orders", "standard", "msg-1")

    @given(DATA_KEYS, st.binary(max_size=200), NONCES)
    def test_are_read_again(self, key: DataKey, body: bytes, nonce: bytes) -> None:
        assert key.open_body(self.PLACE, key.seal_body(self.PLACE, body, nonce)) == body

    @given(DATA_KEYS, st.integers(0))
    def test_are_refused_when_a_bit_is_turned(self, key: DataKey, bit: int) -> None:
        sealed = key.seal_body(self.PLACE, b"{}", bytes(12))

        with pytest.raises(CannotOpen):
            key.open_body(self.PLACE, replace(sealed, box=turned(sealed.box, bit)))

    @pytest.mark.parametrize(
        "moved",
        [
            replace(PLACE, workspace_id=OTHER),
            replace(PLACE, hook="other"),
            replace(PLACE, format="github"),
            replace(PLACE, message_id="msg-2"),
            # The same letters, parted otherwise.
            replace(PLACE, hook="order", format="sstandard"),
        ],
    )
    def test_are_refused_anywhere_else(self, moved: DeliveryPlace) -> None:
        key = DataKey(ACME, UUID(int=7), bytes(range(32)))

        with pytest.raises(CannotOpen):
            key.open_body(moved, key.seal_body(self.PLACE, b"{}", bytes(12)))

    def test_are_sealed_for_the_own_workspace_only(self) -> None:
        with pytest.raises(ValueError, match="its own workspace"):
            DataKey(OTHER, UUID(int=7), bytes(32)).seal_body(self.PLACE, b"{}", bytes(12))

    def test_cannot_be_taken_for_a_credential(self) -> None:
        key = DataKey(ACME, UUID(int=7), bytes(range(32)))
        sealed = key.seal_body(self.PLACE, Values({"a": "b"}).encode(), bytes(12))

        assert_refused(key, Place(ACME, UUID(int=1), "orders", "standard", 1), sealed)
