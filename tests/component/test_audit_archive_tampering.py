"""Whoever changes what is left of an audit log, or what is archived of it, is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from headgate.domain.archive import AUDIT, files_of_record
from headgate.domain.audit import Anchor, Cut, Entry
from headgate.domain.audit_chain import Finding, Wrong
from headgate.domain.audit_keys import SigningKeys
from tests.component.ledger import SIGNING
from tests.component.old_entries import KEPT, OldEntries, given_retention
from tests.component.test_audit_tampering import OTHERS
from tests.component.test_isolation import acting_as
from tests.component.world import World
from tests.support.databases import TestDatabase

SET = "SELECT set_config('headgate.removing', 'part', true)"


@pytest.fixture
async def old(world: World) -> OldEntries:
    """A log of nine entries: up to the fifth, and up to the seventh, they are in two parts of the archive."""
    old = OldEntries(world)
    await given_retention(world, KEPT)
    for count in (3, 2, 2):
        await old.given(count)
        if count == 3 or len(await old.parts()) == 1:
            await old.archive.round(days=31)
    assert (await old.archived(), await old.hot()) == ([1, 2, 3, 4, 5, 6, 7], [8, 9])
    return old


def what(finding: Finding | None) -> tuple[Wrong, int] | None:
    return None if finding is None else (finding.what, finding.sequence)


async def found(old: OldEntries) -> tuple[Wrong, int] | None:
    return what((await old.verified()).finding)


async def found_without_archive(old: OldEntries) -> tuple[Wrong, int] | None:
    return what((await old.verified_without_archive()).finding)


async def test_what_nobody_touched_is_good(old: OldEntries) -> None:
    assert await found(old) is None
    assert await found_without_archive(old) is None


async def test_an_entry_that_is_left_and_was_changed(old: OldEntries) -> None:
    await old.ledger.tamper("UPDATE headgate.audit_log SET actor_name = 'bob' WHERE sequence = 9")

    assert await found(old) == (Wrong.EDITED, 9)
    assert await found_without_archive(old) == (Wrong.EDITED, 9)


async def test_more_that_is_cut_off_from_the_beginning(old: OldEntries) -> None:
    await old.ledger.tamper("DELETE FROM headgate.audit_log WHERE sequence = 8")

    assert await found(old) == (Wrong.MISSING, 8)
    assert await found_without_archive(old) == (Wrong.MISSING, 8)


async def test_the_end_that_is_cut_off(old: OldEntries) -> None:
    await old.ledger.tamper("DELETE FROM headgate.audit_log WHERE sequence = 9")

    assert await found(old) == (Wrong.TRUNCATED, 9)
    assert await found_without_archive(old) == (Wrong.TRUNCATED, 9)


async def test_all_that_is_left_is_cut_off_with_the_head_put_back_to_the_anchor(old: OldEntries) -> None:
    await old.ledger.tamper("DELETE FROM headgate.audit_log")
    await old.ledger.tamper(
        "UPDATE headgate.audit_heads h SET sequence = a.sequence, hash = a.hash FROM headgate.audit_anchors a"
        " WHERE a.workspace_id = h.workspace_id AND a.sequence = 7"
    )

    assert await found(old) == (Wrong.TRUNCATED, 8)
    assert await found_without_archive(old) == (Wrong.TRUNCATED, 8)


async def test_what_is_left_was_made_anew_and_fits_together(old: OldEntries) -> None:
    await old.ledger.tamper("UPDATE headgate.audit_log SET actor_name = 'bob' WHERE sequence = 8")
    entries = [replace(each, hash=b"") for each in await old.ledger.entries()]
    previous = entries[0].previous_hash
    for entry in entries:
        bare = replace(entry, previous_hash=previous)
        previous = bare.computed_hash()
        await old.ledger.tamper(
            "UPDATE headgate.audit_log SET previous_hash = %s, hash = %s WHERE sequence = %s",
            bare.previous_hash,
            previous,
            entry.sequence,
        )
    await old.ledger.tamper("UPDATE headgate.audit_heads SET hash = %s", previous)

    assert await found(old) == (Wrong.RESTAMPED, 9)
    assert await found_without_archive(old) == (Wrong.RESTAMPED, 9)


async def test_an_anchor_that_is_gone(old: OldEntries) -> None:
    await old.ledger.tamper("DELETE FROM headgate.audit_anchors WHERE sequence = 7")

    assert await found(old) == (Wrong.MISSING, 6)
    assert await found_without_archive(old) == (Wrong.MISSING, 6)


async def test_a_beginning_that_was_cut_off_without_any_anchor(old: OldEntries) -> None:
    await old.ledger.tamper("DELETE FROM headgate.audit_anchors")

    assert await found(old) == (Wrong.MISSING, 1)
    assert await found_without_archive(old) == (Wrong.MISSING, 1)


async def anchored(old: OldEntries, cut: Cut, sequence: int, hash_: bytes, keys: SigningKeys) -> None:
    """Put an anchor there that some key signed."""
    bare = Anchor(old.world.ids["acme"], cut, sequence, hash_, old.world.clock.now, keys.current, b"")
    await old.ledger.tamper(
        "INSERT INTO headgate.audit_anchors SELECT %s, %s, %s, %s, %s, %s, %s",
        bare.workspace_id,
        cut.value,
        sequence,
        hash_,
        bare.at,
        bare.signing_key,
        keys.sign(bare.signed()),
    )


async def test_more_that_is_cut_off_with_an_anchor_that_was_made_without_the_key(old: OldEntries) -> None:
    [eighth, _] = await old.ledger.entries()
    await old.ledger.tamper("DELETE FROM headgate.audit_log WHERE sequence = 8")
    await anchored(old, Cut.MOVED, 8, eighth.hash, OTHERS)

    assert await found(old) == (Wrong.BAD_SIGNATURE, 8)
    assert await found_without_archive(old) == (Wrong.BAD_SIGNATURE, 8)


async def test_parts_that_are_gone_with_an_anchor_that_was_signed_for_moving_them(old: OldEntries) -> None:
    for part in await old.parts():
        await delete(old, part["files"])
    await old.ledger.tamper("DELETE FROM headgate.audit_parts")
    await old.ledger.tamper(
        "INSERT INTO headgate.audit_anchors SELECT workspace_id, 'Deleted', sequence, hash, at,"
        " signing_key, signature FROM headgate.audit_anchors WHERE sequence = 7"
    )

    assert await found(old) == (Wrong.BAD_SIGNATURE, 7)


async def test_the_anchor_of_another_workspace(old: OldEntries) -> None:
    await old.world.given_workspace("other")
    await old.ledger.tamper(
        "INSERT INTO headgate.audit_anchors SELECT %s, cut, sequence, hash, at, signing_key, signature"
        " FROM headgate.audit_anchors WHERE sequence = 7",
        old.world.ids["other"],
    )

    finding = (await old.verified("other")).finding
    assert what(finding) == (Wrong.BAD_SIGNATURE, 7)


async def delete(old: OldEntries, record: dict[str, object]) -> None:
    for file in files_of_record(record).values():
        await old.archive.objects.delete(file.path)


@pytest.mark.parametrize(("part", "first"), [(0, 1), (1, 6)])
async def test_a_part_whose_files_are_gone(old: OldEntries, part: int, first: int) -> None:
    await delete(old, (await old.parts())[part]["files"])

    assert await found(old) == (Wrong.DAMAGED, first)
    assert await found_without_archive(old) is None


@pytest.mark.parametrize(("part", "first"), [(0, 1), (1, 6)])
async def test_a_part_of_which_nothing_is_known_any_more(old: OldEntries, part: int, first: int) -> None:
    await old.ledger.tamper("DELETE FROM headgate.audit_parts WHERE id = %s", (await old.parts())[part]["id"])

    assert await found(old) == (Wrong.MISSING, first)


async def test_a_file_that_is_another_one(old: OldEntries) -> None:
    [_, second] = await old.parts()
    path = files_of_record(second["files"])[AUDIT].path
    await old.archive.objects.put(path, b"something else")

    assert await found(old) == (Wrong.DAMAGED, 6)


def edited(entries: list[Entry]) -> list[Entry]:
    return [replace(each, actor_name="bob") if each.sequence in (4, 6) else each for each in entries]


def without_one(entries: list[Entry]) -> list[Entry]:
    return [each for each in entries if each.sequence not in (4, 6)]


def without_the_last(entries: list[Entry]) -> list[Entry]:
    return entries[:-1]


@pytest.mark.parametrize(
    ("part", "change", "restamped", "expected"),
    [
        (0, edited, False, (Wrong.EDITED, 4)),
        (1, edited, False, (Wrong.EDITED, 6)),
        (0, edited, True, (Wrong.RESTAMPED, 5)),
        (1, edited, True, (Wrong.RESTAMPED, 7)),
        (0, without_one, False, (Wrong.MISSING, 4)),
        (1, without_one, False, (Wrong.MISSING, 6)),
        (0, without_the_last, False, (Wrong.MISSING, 5)),
        (1, without_the_last, False, (Wrong.MISSING, 7)),
    ],
)
async def test_a_file_that_was_written_anew_with_its_checksums(
    old: OldEntries,
    part: int,
    change: Callable[[list[Entry]], list[Entry]],
    restamped: bool,
    expected: tuple[Wrong, int],
) -> None:
    await old.rewrite((await old.parts())[part], change, restamped=restamped)

    assert await found(old) == expected


async def test_a_part_that_was_made_anew_is_known_by_its_anchor_where_no_checkpoint_is_left(old: OldEntries) -> None:
    await old.ledger.tamper("DELETE FROM headgate.audit_checkpoints")
    [_, second] = await old.parts()

    await old.rewrite(second, edited, restamped=True)

    assert await found(old) == (Wrong.RESTAMPED, 7)


async def test_what_was_kept_long_enough_is_deleted_by_no_anchor_but_its_own(old: OldEntries) -> None:
    """Whoever has the tables puts off what should be deleted, and deletes nothing by it."""
    await old.ledger.tamper("DELETE FROM headgate.audit_anchors WHERE sequence = 5")
    [first, _] = await old.parts()
    await anchored(old, Cut.MOVED, 5, bytes(first["hash"]), OTHERS)

    done = await old.archive.round(days=3000)

    assert "no good anchor" in done.failed[old.world.ids["acme"]]
    assert (await old.archived())[:7] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("whose", ["migration_url", "superuser_url"])
@pytest.mark.parametrize("condition", ["sequence = 8", "sequence >= 8", "true"])
async def test_nobody_deletes_beyond_the_anchor(
    old: OldEntries, fresh: TestDatabase, whose: str, condition: str
) -> None:
    """Not the owner either, who may set what the function sets."""
    workspace = str(old.world.ids["acme"])
    with psycopg.connect(getattr(fresh, whose)) as connection:
        if whose == "migration_url":
            connection.execute("SET ROLE headgate_owner")
        connection.execute("SELECT set_config('app.workspace_id', %s, true)", [workspace])
        connection.execute(SET)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="beyond its anchor"):
            connection.execute(f"DELETE FROM headgate.audit_log WHERE {condition}".encode())
    assert await old.hot() == [8, 9]


async def test_up_to_an_anchor_the_rows_may_go(old: OldEntries, fresh: TestDatabase) -> None:
    """So the test above can fail."""
    [eighth, _] = await old.ledger.entries()
    await anchored(old, Cut.MOVED, 8, eighth.hash, SIGNING)
    with psycopg.connect(fresh.superuser_url) as connection:
        connection.execute(SET)
        assert connection.execute("DELETE FROM headgate.audit_log WHERE sequence = 8").rowcount == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE headgate.audit_parts SET state = 'Removed' WHERE state = 'Verified'", "no verified part"),
        ("UPDATE headgate.data_retention_policies SET legal_hold = true", "legal hold"),
        ("DELETE FROM headgate.audit_anchors WHERE sequence = 9", "no anchor"),
        ("UPDATE headgate.audit_anchors SET cut = 'Deleted' WHERE sequence = 9", "no anchor"),
        ("UPDATE headgate.audit_anchors SET hash = decode(repeat('11', 32), 'hex') WHERE sequence = 9", "no anchor"),
        ("UPDATE headgate.audit_log SET hash = decode(repeat('11', 32), 'hex') WHERE sequence = 9", "no anchor"),
        ("UPDATE headgate.audit_parts SET first_sequence = 9 WHERE last_sequence = 9", "not the beginning"),
        ("UPDATE headgate.audit_parts SET first_sequence = 4 WHERE last_sequence = 9", "are missing"),
        ("SELECT 1", None),
    ],
)
async def test_the_way_on_which_entries_go_is_narrow(
    old: OldEntries, fresh: TestDatabase, change: str, says: str | None
) -> None:
    acme = old.world.ids["acme"]
    [_, ninth] = await old.ledger.entries()
    await old.ledger.tamper(
        "INSERT INTO headgate.audit_parts SELECT workspace_id, %s, month, 'Verified', entries_before, created_at,"
        " verified_at, 8, 9, %s, first_at, last_at, files FROM headgate.audit_parts WHERE last_sequence = 7",
        acme,
        ninth.hash,
    )
    await anchored(old, Cut.MOVED, 9, ninth.hash, SIGNING)
    await old.ledger.tamper(change)

    with acting_as(fresh.url, "headgate_app", acme) as connection:
        if says is None:
            assert connection.execute("SELECT headgate.remove_archived_audit(%s)", [acme]).fetchone() == (2,)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=says):
                connection.execute("SELECT headgate.remove_archived_audit(%s)", [acme])


async def test_a_part_of_another_workspace_is_not_removed(old: OldEntries, fresh: TestDatabase) -> None:
    other = await old.world.given_workspace("other")
    [first, _] = await old.parts()
    await old.ledger.tamper("UPDATE headgate.audit_parts SET state = 'Verified'")

    with (
        acting_as(fresh.url, "headgate_app", other) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="no verified part"),
    ):
        connection.execute("SELECT headgate.remove_archived_audit(%s)", [first["id"]])


@pytest.mark.parametrize("whose", ["migration_url", "superuser_url"])
async def test_anchors_are_for_ever(old: OldEntries, fresh: TestDatabase, whose: str) -> None:
    with psycopg.connect(getattr(fresh, whose), autocommit=True) as connection:
        if whose == "migration_url":
            connection.execute("SET ROLE headgate_owner")
        for statement in (
            "UPDATE headgate.audit_anchors SET at = now()",
            "DELETE FROM headgate.audit_anchors",
            "TRUNCATE headgate.audit_anchors",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                connection.execute(statement.encode())
    assert await found(old) is None
