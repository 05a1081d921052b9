"""Old entries of audit logs move to the archive, are read there as before, and are nowhere twice."""

from __future__ import annotations

import json
from collections.abc import Awaitable

import pytest

from headgate.api.retention import Retention
from headgate.domain.archive import AUDIT, files_of_record
from headgate.domain.audit import Action, Entry
from headgate.engine.archive.files import ArchiveDamaged
from headgate.engine.archive.reading import NoArchive
from headgate.engine.audit_log import EntriesMoved
from headgate.objects.parquet import decode
from headgate.store.audit import Filters
from tests.component.old_entries import KEPT, OldEntries, given_retention


async def test_entries_move_when_their_retention_has_passed_and_are_there_as_before(old: OldEntries) -> None:
    await old.given(2, days=20)
    before = await old.whole()

    await old.archive.round(days=9)
    assert await old.hot() == [1, 2, 3, 4, 5, 6, 7]
    done = await old.archive.round(days=2)

    assert (done.entries, done.parts, done.failed) == (5, 1, {})
    assert (await old.archived(), await old.hot()) == ([1, 2, 3, 4, 5], [6, 7])
    assert await old.whole() == before
    found = await old.verified()
    assert (found.finding, found.entries, found.after) == (None, 7, 0)


async def test_the_next_part_goes_on_where_the_one_before_it_ends(old: OldEntries) -> None:
    before = await old.whole()
    for days in (31, 31, 31):
        await old.archive.round(days=days)
        before = [*before, *(await old.whole())[len(before) :]]
        await old.given(2)

    assert [(part["first_sequence"], part["last_sequence"]) for part in await old.parts()] == [(1, 5), (6, 7), (8, 9)]
    assert [entry.sequence for entry in await old.whole()] == list(range(1, 12))
    assert (await old.verified()).finding is None


async def test_without_the_archive_a_log_is_good_from_its_anchor_on(old: OldEntries) -> None:
    await old.given(2, days=20)
    await old.archive.round(days=11)

    found = await old.verified_without_archive()

    assert (found.finding, found.entries, found.after) == (None, 2, 5)


async def test_a_log_that_has_moved_as_a_whole_is_good(old: OldEntries) -> None:
    await old.archive.round(days=31)

    assert await old.hot() == []
    assert (await old.verified()).finding is None
    assert (await old.verified_without_archive()).finding is None


async def test_a_month_is_a_part(old: OldEntries) -> None:
    await old.given(2, days=20)
    await old.given(2, days=5)
    await old.archive.round(days=40)

    assert [f"{part['month']:%Y-%m}" for part in await old.parts()] == ["2026-03", "2026-04"]
    assert [path.split("/")[2:4] for path in await old.archive.paths()] == [
        [AUDIT, "2026-03"],
        [AUDIT, "2026-03"],
        [AUDIT, "2026-04"],
        [AUDIT, "2026-04"],
    ]


async def test_a_manifest_says_between_which_entries_a_part_is(old: OldEntries) -> None:
    last = (await old.whole())[-1]
    await old.archive.round(days=31)

    [manifest] = [path for path in await old.archive.paths() if path.endswith(".json")]
    said = json.loads(await old.archive.objects.get(manifest))

    assert (said["firstEntry"], said["lastEntry"], said["hashBefore"]) == (1, 5, "00" * 32)
    assert said["hash"] == last.hash.hex()


async def test_a_file_tells_the_hash_before_where_the_entry_before_does_not(old: OldEntries) -> None:
    await old.archive.round(days=31)

    [part] = await old.parts()
    content = await old.archive.objects.get(files_of_record(part["files"])[AUDIT].path)
    rows = decode(content, ("previous_hash",), by="sequence")

    assert [row["previous_hash"] for row in rows] == [f"\\x{'00' * 32}", None, None, None, None]


async def test_what_is_not_signed_yet_stays(old: OldEntries) -> None:
    await old.ledger.given_entries(2)
    await old.archive.round(days=31)
    assert await old.hot() == [6, 7]

    await old.ledger.sign()
    await old.archive.round()
    assert await old.hot() == []


async def test_without_keys_nothing_moves(old: OldEntries) -> None:
    old.archive.signing = None
    done = await old.archive.round(days=31)

    assert (done.entries, await old.hot(), await old.archive.paths()) == (0, [1, 2, 3, 4, 5], [])


async def test_an_entry_that_has_to_stay_keeps_those_after_it(old: OldEntries) -> None:
    """A process whose clock was ahead."""
    old.world.clock.advance(days=100)
    await old.ledger.given_entries(1)
    old.world.clock.advance(days=-100)
    await old.given(2)

    await old.archive.round(days=31)
    assert await old.hot() == [6, 7, 8]
    await old.archive.round(days=100)
    assert await old.hot() == []
    assert (await old.verified()).finding is None


async def test_a_legal_hold_keeps_everything_where_it_is(old: OldEntries) -> None:
    world = old.world
    await given_retention(world, Retention(audit_days=30, legal_hold=True))
    done = await old.archive.round(days=31)
    assert (done.held, await old.hot(), await old.archive.paths()) == (1, [1, 2, 3, 4, 5, 6], [])

    await given_retention(world, KEPT)
    await old.archive.round()
    assert await old.archived() == [1, 2, 3, 4, 5]
    await given_retention(world, Retention(audit_days=30, legal_hold=True))
    await old.archive.round(days=4000)
    assert await old.archived() == [1, 2, 3, 4, 5]
    assert (await old.verified_without_archive()).after == 5


async def test_each_workspace_has_its_own_time(old: OldEntries) -> None:
    await old.world.given_workspace("other")
    await old.given(2, "other")

    await old.archive.round(days=31)

    assert (await old.archived(), await old.hot()) == ([1, 2, 3, 4, 5], [])
    assert (await old.archived("other"), await old.hot("other")) == ([], [1, 2, 3])
    assert (await old.verified("other")).finding is None


async def test_a_part_is_deleted_in_the_end_and_what_is_left_begins_after_it(old: OldEntries) -> None:
    await old.archive.round(days=31)
    await old.given(2)
    await old.archive.round(days=31)
    await given_retention(old.world, Retention(audit_days=30, compliance_days=60))
    await old.ledger.sign()
    # The month of the first part ended on 2026-04-01, and that of the second on 2026-05-01.
    done = await old.archive.round()
    assert (done.expired, await old.archived()) == (0, [1, 2, 3, 4, 5, 6, 7])

    done = await old.archive.round(days=21)

    assert (done.expired, done.failed) == (1, {})
    assert (await old.archived(), len(await old.archive.paths())) == ([6, 7], 2)
    found = await old.verified()
    assert (found.finding, found.after, found.entries) == (None, 5, 3)
    assert [entry.sequence for entry in await old.whole()] == [6, 7, 8]


async def test_a_part_is_not_deleted_before_one_that_is_older(old: OldEntries) -> None:
    await old.archive.round(days=31)
    await old.ledger.tamper("UPDATE headgate.audit_parts SET month = '2036-01-01'")
    await old.given(2)
    await old.archive.round(days=31)
    await given_retention(old.world, Retention(audit_days=30, compliance_days=31))

    await old.archive.round(days=1000)

    assert (await old.archived())[:7] == [1, 2, 3, 4, 5, 6, 7]


async def test_pages_go_on_in_the_archive_in_one_order(old: OldEntries) -> None:
    world, archive = old.world, old.archive
    for _ in range(6):
        await old.given(2, days=31)
        await archive.round()
    assert len(await old.parts()) == 6
    entries = (await old.whole())[::-1]
    assert [entry.sequence for entry in entries] == list(range(17, 0, -1))
    since, until = entries[12].at, entries[3].at

    for filters in (
        Filters(),
        Filters(since=since, until=until),
        Filters(actor="alice"),
        Filters(action=Action.WORKSPACE_CHANGE.value),
        Filters(actor="nobody"),
    ):
        wanted = [entry for entry in entries if filters.fit(entry)]
        for limit in (1, 3, 50):
            found: list[Entry] = []
            cursor = None
            while True:
                page = await archive.engine.audit.list(world.ids["acme"], filters, cursor, limit)
                found += page.entries
                if (cursor := page.next_cursor) is None:
                    break
            assert found == wanted


async def test_who_does_not_know_where_the_archive_is_says_so(old: OldEntries) -> None:
    await old.given(1, days=20)
    await old.archive.round(days=11)
    audit, acme = old.world.another_engine().audit, old.world.ids["acme"]

    assert [entry.sequence for entry in (await audit.list(acme, limit=1)).entries] == [6]
    with pytest.raises(NoArchive):
        await audit.list(acme)


async def test_a_copy_has_no_gap_in_silence(old: OldEntries) -> None:
    await old.given(1, days=20)
    await old.archive.round(days=11)
    await old.ledger.tamper("DELETE FROM headgate.audit_anchors")

    with pytest.raises(EntriesMoved):
        await old.whole()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE headgate.audit_log SET actor_name = 'bob' WHERE sequence = 3",
        "DELETE FROM headgate.audit_log WHERE sequence = 3",
        "DELETE FROM headgate.audit_log WHERE sequence = 1",
        "UPDATE headgate.audit_checkpoints SET sequence = 4",
    ],
)
async def test_a_log_in_which_anything_is_wrong_stays_as_it_is(old: OldEntries, statement: str) -> None:
    await old.ledger.tamper(statement)
    there = await old.hot()

    done = await old.archive.round(days=31)

    assert list(done.failed) == [old.world.ids["acme"]]
    assert "of the audit log is bad" in done.failed[old.world.ids["acme"]]
    assert (await old.hot(), await old.archived()) == (there, [])


async def test_a_log_that_was_made_anew_stays_as_it_is(old: OldEntries) -> None:
    """It hangs together: what was signed of entries that are too young knows better."""
    await old.ledger.given_entries(1)
    await old.given(1, days=20)
    await old.ledger.tamper("DELETE FROM headgate.audit_checkpoints WHERE sequence < 7")
    await old.ledger.tamper("UPDATE headgate.audit_log SET actor_name = 'bob' WHERE sequence = 3")
    await old.ledger.restamp()

    done = await old.archive.round(days=11)

    assert "entry 7 of the audit log is bad: re-stamped" in done.failed[old.world.ids["acme"]]
    assert await old.hot() == [1, 2, 3, 4, 5, 6, 7]


async def test_what_was_damaged_on_its_way_is_not_deleted(old: OldEntries) -> None:
    put = old.archive.objects.put

    async def damaging(path: str, content: bytes) -> None:
        await put(path, content[:-9] + b"123456789")

    old.archive.objects.put = damaging  # type: ignore[method-assign, assignment]
    done = await old.archive.round(days=31)
    assert list(done.failed) == [old.world.ids["acme"]]
    assert await old.hot() == [1, 2, 3, 4, 5]
    old.archive.objects.put = put  # type: ignore[method-assign]

    assert (await old.archive.round()).failed == {}
    assert (await old.archived(), await old.hot()) == ([1, 2, 3, 4, 5], [])
    assert len(await old.archive.paths()) == 2


async def test_what_is_damaged_later_is_told_and_not_shown(old: OldEntries) -> None:
    await old.archive.round(days=31)
    for path in await old.archive.paths():
        await old.archive.objects.put(path, b"something else")

    with pytest.raises(ArchiveDamaged, match="checksum"):
        await old.archive.engine.audit.list(old.world.ids["acme"])


async def test_what_it_costs_in_messages_to_postgres(old: OldEntries, sent: list[str]) -> None:
    """docs/design/0030 gives the same numbers."""
    world, acme = old.world, old.world.ids["acme"]

    async def counted(work: Awaitable[object]) -> int:
        sent.clear()
        await work
        return len(sent)

    async def of_round() -> int:
        return await counted(old.archive.archiver.run(world.clock.now, acme))

    with_keys, old.archive.signing = old.archive.signing, None
    without = await of_round()
    old.archive.signing = with_keys
    idle, listing = await of_round(), await counted(old.archive.engine.audit.list(acme))
    world.clock.advance(days=31)
    old.archive.signing = None
    without_later = await of_round()
    old.archive.signing = with_keys
    moving, archived = await of_round(), await counted(old.archive.engine.audit.list(acme))

    assert (idle - without, moving - without_later - 8, listing, archived) == (8, 31, 4, 4)
