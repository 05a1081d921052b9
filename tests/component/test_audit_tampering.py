"""Whoever changes an audit log in the tables, by whatever right, is found."""

from __future__ import annotations

import psycopg
import pytest

from headgate.domain.audit_chain import Finding, Wrong
from headgate.domain.audit_keys import PublicKeys, SigningKeys
from tests.component.ledger import Ledger
from tests.component.world import World
from tests.support.databases import TestDatabase

OTHERS = SigningKeys("2026-01", {"2026-01": bytes(range(1, 33))})
OF_ACME = "workspace_id = (SELECT id FROM headgate.workspaces WHERE name = 'acme')"
OF_OTHER = "workspace_id = (SELECT id FROM headgate.workspaces WHERE name = 'other')"


@pytest.fixture
async def ledger(world: World) -> Ledger:
    """Two logs of six entries, signed up to the fourth in two rounds."""
    ledger = Ledger(world)
    # The first entry of each is that there is such a workspace.
    await world.given_workspace("other")
    for count, signed in ((1, True), (2, True), (2, False)):
        for workspace in ("acme", "other"):
            await ledger.given_entries(count, workspace)
        if signed:
            assert await ledger.sign() == 2
    return ledger


def what(finding: Finding | None) -> tuple[Wrong, int] | None:
    return None if finding is None else (finding.what, finding.sequence)


async def test_what_nobody_touched_is_good(ledger: Ledger) -> None:
    found = await ledger.verified()

    assert (found.finding, found.entries, found.signed) == (None, 6, 4)
    assert await ledger.of_rounds() is None


@pytest.mark.parametrize(
    "change",
    [
        "actor_name = 'bob'",
        "actor_kind = 'apikey'",
        "actor_via = 'nothing'",
        "action = 'key.revoke'",
        "object = 'key/9'",
        "outcome = 'Refused'",
        'detail = \'{"name":"cd"}\'',
        "detail = CAST(detail::text || ' ' AS json)",
        "at = at + interval '1 microsecond'",
        "hash = decode(repeat('11', 32), 'hex')",
        "previous_hash = decode(repeat('11', 32), 'hex')",
    ],
)
async def test_an_entry_that_was_changed(ledger: Ledger, change: str) -> None:
    await ledger.tamper(f"UPDATE headgate.audit_log SET {change} WHERE {OF_ACME} AND sequence = 3")

    assert what(await ledger.finding(keys=None)) == (Wrong.EDITED, 3)
    assert await ledger.finding("other") is None


async def test_an_entry_that_is_gone_from_the_middle(ledger: Ledger) -> None:
    await ledger.tamper(f"DELETE FROM headgate.audit_log WHERE {OF_ACME} AND sequence = 3")

    assert what(await ledger.finding(keys=None)) == (Wrong.MISSING, 3)


async def test_the_first_entry_that_is_gone(ledger: Ledger) -> None:
    await ledger.tamper(f"DELETE FROM headgate.audit_log WHERE {OF_ACME} AND sequence = 1")

    assert what(await ledger.finding(keys=None)) == (Wrong.MISSING, 1)


async def test_a_tail_that_is_cut_off(ledger: Ledger) -> None:
    await ledger.tamper(f"DELETE FROM headgate.audit_log WHERE {OF_ACME} AND sequence > 4")

    assert what(await ledger.finding(keys=None)) == (Wrong.TRUNCATED, 5)


async def test_a_tail_that_is_cut_off_with_the_head_put_back(ledger: Ledger) -> None:
    await ledger.tamper(f"DELETE FROM headgate.audit_log WHERE {OF_ACME} AND sequence > 3")
    await ledger.restamp()

    assert what(await ledger.finding()) == (Wrong.TRUNCATED, 4)


async def test_a_log_that_is_gone_altogether(ledger: Ledger) -> None:
    for table in ("audit_log", "audit_heads"):
        await ledger.tamper(f"DELETE FROM headgate.{table} WHERE {OF_ACME}")

    assert what(await ledger.finding()) == (Wrong.TRUNCATED, 1)


async def test_a_log_that_is_gone_with_its_checkpoints_is_missed_by_the_rounds(ledger: Ledger) -> None:
    for table in ("audit_log", "audit_heads", "audit_checkpoints"):
        await ledger.tamper(f"DELETE FROM headgate.{table} WHERE {OF_ACME}")

    assert await ledger.finding() is None
    assert what(await ledger.of_rounds()) == (Wrong.MISSING, 1)


async def test_a_log_without_its_head(ledger: Ledger) -> None:
    await ledger.tamper(f"DELETE FROM headgate.audit_heads WHERE {OF_ACME}")

    assert what(await ledger.finding()) == (Wrong.TRUNCATED, 7)


async def test_a_log_that_was_made_anew_and_fits_together(ledger: Ledger) -> None:
    await ledger.tamper(f"UPDATE headgate.audit_log SET actor_name = 'bob' WHERE {OF_ACME} AND sequence = 1")
    await ledger.restamp()

    assert await ledger.finding(keys=None) is not None
    assert what(await ledger.finding()) == (Wrong.RESTAMPED, 2)


async def test_without_checkpoints_nobody_sees_that_a_log_was_made_anew_but_the_rounds(ledger: Ledger) -> None:
    await ledger.tamper(f"UPDATE headgate.audit_log SET actor_name = 'bob' WHERE {OF_ACME} AND sequence = 3")
    await ledger.restamp()
    await ledger.tamper(f"DELETE FROM headgate.audit_checkpoints WHERE {OF_ACME}")

    assert await ledger.finding() is None
    assert what(await ledger.of_rounds()) == (Wrong.MISSING, 1)
    ledger.world.clock.advance(hours=2)
    assert what(await ledger.finding()) == (Wrong.UNSIGNED, 1)


async def test_a_checkpoint_that_was_made_without_the_key(ledger: Ledger) -> None:
    await ledger.tamper(f"UPDATE headgate.audit_log SET actor_name = 'bob' WHERE {OF_ACME} AND sequence = 1")
    await ledger.restamp()
    await ledger.tamper(
        "UPDATE headgate.audit_checkpoints c SET hash = l.hash FROM headgate.audit_log l"
        " WHERE l.workspace_id = c.workspace_id AND l.sequence = c.sequence"
    )

    assert await ledger.finding(keys=None) is None
    assert what(await ledger.finding()) == (Wrong.BAD_SIGNATURE, 2)
    assert what(await ledger.of_rounds()) == (Wrong.MISSING, 1)


async def test_entries_that_two_workspaces_swapped(ledger: Ledger) -> None:
    await ledger.tamper(
        "UPDATE headgate.audit_log a SET actor_name = b.actor_name, object = b.object, detail = b.detail,"
        " hash = b.hash, previous_hash = b.previous_hash, at = b.at FROM headgate.audit_log b"
        f" WHERE b.{OF_OTHER} AND a.{OF_ACME} AND a.sequence = 3 AND b.sequence = 3"
    )

    assert what(await ledger.finding(keys=None)) == (Wrong.EDITED, 3)


async def test_an_old_checkpoint_in_the_place_of_a_newer_one(ledger: Ledger) -> None:
    await ledger.tamper(f"DELETE FROM headgate.audit_log WHERE {OF_ACME} AND sequence > 2")
    await ledger.restamp()
    await ledger.tamper(f"DELETE FROM headgate.audit_checkpoints WHERE {OF_ACME} AND sequence > 2")

    assert await ledger.finding() is None
    assert what(await ledger.of_rounds()) == (Wrong.MISSING, 2)


async def test_an_old_signature_under_another_number(ledger: Ledger) -> None:
    await ledger.tamper(
        "UPDATE headgate.audit_checkpoints a SET signature = b.signature, hash = b.hash"
        f" FROM headgate.audit_checkpoints b WHERE a.{OF_ACME} AND b.{OF_ACME} AND a.sequence = 4 AND b.sequence = 2"
    )

    assert what(await ledger.finding()) == (Wrong.BAD_SIGNATURE, 4)


async def test_the_last_round_cut_off_with_all_that_it_knows(ledger: Ledger) -> None:
    [last] = await ledger.world.rows("SELECT * FROM headgate.audit_rounds ORDER BY number DESC LIMIT 1")
    expected = (last["number"], bytes(last["digest"]))
    assert await ledger.of_rounds(expected) is None
    await ledger.tamper("DELETE FROM headgate.audit_rounds WHERE number = 2")
    assert what(await ledger.of_rounds()) == (Wrong.TRUNCATED, 2)
    await ledger.tamper("DELETE FROM headgate.audit_checkpoints WHERE round = 2")

    # Nothing in the tables tells any more: it takes somebody who remembers.
    assert await ledger.of_rounds() is None
    assert what(await ledger.of_rounds(expected)) == (Wrong.TRUNCATED, 2)


async def test_rounds_that_were_made_anew(ledger: Ledger) -> None:
    [first] = await ledger.world.rows("SELECT * FROM headgate.audit_rounds WHERE number = 1")
    for table in ("audit_rounds", "audit_checkpoints"):
        await ledger.tamper(f"DELETE FROM headgate.{table}")
    await ledger.tamper("UPDATE headgate.audit_heads SET signed_sequence = 0")
    await ledger.world.engine.audit.sign(OTHERS)

    assert what(await ledger.of_rounds()) == (Wrong.BAD_SIGNATURE, 1)
    assert what(await ledger.finding()) == (Wrong.BAD_SIGNATURE, 6)
    assert what(await ledger.of_rounds((1, bytes(first["digest"])), keys=OTHERS.public())) == (Wrong.RESTAMPED, 1)


async def test_a_signature_of_a_key_that_was_not_given(ledger: Ledger) -> None:
    none = PublicKeys({})

    assert what(await ledger.finding(keys=none)) == (Wrong.UNKNOWN_KEY, 2)
    assert what(await ledger.of_rounds(keys=none)) == (Wrong.UNKNOWN_KEY, 1)


@pytest.mark.parametrize("whose", ["migration_url", "superuser_url"])
async def test_nobody_changes_or_deletes_by_mistake(ledger: Ledger, fresh: TestDatabase, whose: str) -> None:
    with psycopg.connect(getattr(fresh, whose), autocommit=True) as connection:
        if whose == "migration_url":
            connection.execute("SET ROLE headgate_owner")
        for table in ("audit_log", "audit_checkpoints", "audit_rounds"):
            for statement in ("UPDATE headgate.{} SET at = now()", "DELETE FROM headgate.{}", "TRUNCATE headgate.{}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                    connection.execute(statement.format(table).encode())
