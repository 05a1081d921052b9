"""Chains of entries without a database: whatever is done to one is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from headgate.domain.audit import GENESIS, Anchor, Checkpoint, Cut, Entry, hash_of, round_digest
from headgate.domain.audit_chain import NOTHING, ChainCheck, Finding, Head, Wrong, beginning
from headgate.domain.audit_keys import SigningKeys

WORKSPACE, OTHER = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
KEYS = SigningKeys("one", {"one": bytes(range(32))})
COLUMNS = ("actor_kind", "actor_name", "actor_via", "action", "object", "outcome", "detail")
TEXTS = st.text(max_size=8)


def linked(said: Sequence[tuple[str, str]], workspace_id: UUID = WORKSPACE) -> list[Entry]:
    """A chain of entries that say so."""
    made: list[Entry] = []
    for number, (name, detail) in enumerate(said, start=1):
        previous = made[-1].hash if made else GENESIS
        at = NOON + timedelta(seconds=number)
        bare = Entry(workspace_id, number, at, "user", name, "", "call", "", "Done", detail, previous, b"")
        made.append(replace(bare, hash=bare.computed_hash()))
    return made


CHAINS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8).map(linked)


def head_of(entries: Sequence[Entry]) -> Head:
    return Head(entries[-1].sequence, entries[-1].hash)


def checkpoint_of(entry: Entry) -> Checkpoint:
    bare = Checkpoint(entry.workspace_id, entry.sequence, entry.hash, NOON, 1, "one", b"")
    return replace(bare, signature=KEYS.sign(bare.signed()))


def found(entries: Sequence[Entry], head: Head | None, *checkpoints: Checkpoint) -> Finding | None:
    check = ChainCheck(WORKSPACE, head, checkpoints, KEYS.public())
    check.add(entries)
    return check.end()


@given(CHAINS, st.data())
def test_a_chain_is_good_in_whatever_pieces_it_comes(entries: list[Entry], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(entries)))
    check = ChainCheck(WORKSPACE, head_of(entries), [checkpoint_of(entries[-1])], KEYS.public())
    check.add(entries[:cut])
    check.add(entries[cut:])

    assert check.end() is None
    assert check.checked == len(entries)


@given(CHAINS, st.data(), TEXTS)
def test_a_change_is_found_where_it_is(entries: list[Entry], data: st.DataObject, text: str) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    column = data.draw(
        st.sampled_from(["actor_kind", "actor_name", "actor_via", "action", "object", "outcome", "detail"])
    )
    assume(getattr(entries[at], column) != text)
    head = head_of(entries)
    changed: dict[str, Any] = {column: text}
    entries[at] = replace(entries[at], **changed)

    assert _what(found(entries, head)) == (Wrong.EDITED, at + 1)


@given(CHAINS, st.data())
def test_what_is_gone_is_missed(entries: list[Entry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    expected = Wrong.TRUNCATED if at == len(entries) - 1 else Wrong.MISSING
    head = head_of(entries)
    del entries[at]

    assert _what(found(entries, head)) == (expected, at + 1)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8), st.data(), TEXTS)
def test_a_chain_that_was_made_anew_is_known_by_its_checkpoint(
    said: list[tuple[str, str]], data: st.DataObject, text: str
) -> None:
    at = data.draw(st.integers(0, len(said) - 1))
    assume(said[at][0] != text)
    checkpoint = checkpoint_of(linked(said)[-1])
    forged = linked([*said[:at], (text, said[at][1]), *said[at + 1 :]])

    assert found(forged, head_of(forged)) is None
    assert _what(found(forged, head_of(forged), checkpoint)) == (Wrong.RESTAMPED, len(said))


@given(CHAINS)
def test_the_chain_of_another_workspace_is_not_this_ones(entries: list[Entry]) -> None:
    theirs = linked([(entry.actor_name, entry.detail) for entry in entries], OTHER)

    assert _what(found(theirs, head_of(theirs))) == (Wrong.EDITED, 1)


def anchor_of(entry: Entry, cut: Cut = Cut.MOVED, keys: SigningKeys = KEYS) -> Anchor:
    bare = Anchor(entry.workspace_id, cut, entry.sequence, entry.hash, NOON, "one", b"")
    return replace(bare, signature=keys.sign(bare.signed()))


def left(entries: Sequence[Entry], head: Head, *anchors: Anchor) -> Finding | None:
    """What is found of what is left of a log."""
    check = ChainCheck(WORKSPACE, head, (), KEYS.public(), anchors=anchors, start=beginning(anchors, *Cut))
    check.add(entries)
    return check.end()


@given(CHAINS, st.data())
def test_what_is_left_of_a_chain_is_good_after_its_anchor_and_nowhere_else(
    entries: list[Entry], data: st.DataObject
) -> None:
    at, begins = (data.draw(st.integers(1, len(entries))) for _ in range(2))
    found = left(entries[begins:], head_of(entries), anchor_of(entries[at - 1]))

    assert (found is None) == (at == begins)


@given(CHAINS)
def test_an_anchor_is_good_that_was_signed_for_this_log_and_this_cut(entries: list[Entry]) -> None:
    last, head = entries[-1], head_of(entries)
    good = anchor_of(last)
    others = SigningKeys("one", {"one": bytes(range(1, 33))})

    assert left([], head, good) is None
    for bad in (
        replace(good, cut=Cut.DELETED),
        replace(good, hash=bytes(32)),
        replace(good, at=NOON + timedelta(seconds=1)),
        replace(good, sequence=last.sequence + 1),
        replace(anchor_of(replace(last, workspace_id=OTHER))),
        anchor_of(last, keys=others),
    ):
        assert _what(left([], head, bad)) == (Wrong.BAD_SIGNATURE, bad.sequence)


@given(CHAINS)
def test_an_anchor_that_was_signed_for_a_chain_made_anew_is_not_that_of_its_checkpoint(entries: list[Entry]) -> None:
    forged = anchor_of(replace(entries[-1], hash=bytes(32)))
    check = ChainCheck(WORKSPACE, None, [checkpoint_of(entries[-1])], KEYS.public(), anchors=[forged])

    assert _what(check.finding) == (Wrong.RESTAMPED, entries[-1].sequence)


def test_a_log_begins_after_the_newest_anchor_of_what_is_gone() -> None:
    first, second = linked([("a", ""), ("b", "")])
    anchors = [anchor_of(first), anchor_of(second), anchor_of(first, Cut.DELETED)]

    assert beginning(anchors, Cut.DELETED) == head_of([first])
    assert beginning(anchors, *Cut) == head_of([second])
    assert beginning((), *Cut) == NOTHING


@given(st.lists(st.binary(max_size=4), max_size=5), st.lists(st.binary(max_size=4), max_size=5))
def test_no_two_lists_of_parts_have_the_same_hash(one: list[bytes], other: list[bytes]) -> None:
    assert (hash_of(*one) == hash_of(*other)) == (one == other)


@given(st.permutations([(UUID(int=number), number, bytes([number]) * 32) for number in range(1, 5)]))
def test_a_round_is_of_heads_in_whatever_order_they_are_read(heads: list[tuple[UUID, int, bytes]]) -> None:
    assert round_digest(1, NOON, GENESIS, heads) == round_digest(1, NOON, GENESIS, sorted(heads))
    assert round_digest(1, NOON, GENESIS, heads) != round_digest(1, NOON, GENESIS, heads[1:])


def _what(finding: Finding | None) -> tuple[Wrong, int] | None:
    return None if finding is None else (finding.what, finding.sequence)
