"""``headgate audit``, as whoever answers for a log types it."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from headgate.cli.main import app
from headgate.clock import wall
from tests.component.ledger import PUBLIC, SIGNING, Ledger
from tests.component.old_entries import KEPT, given_retention
from tests.component.world import World

KEY = f"2026-01: {base64.b64encode(SIGNING.keys['2026-01']).decode()}"


@pytest.fixture
async def ledger(world: World) -> Ledger:
    """A log of three entries, all of them signed."""
    ledger = Ledger(world)
    await ledger.given_entries(2)
    await ledger.sign()
    return ledger


async def headgate(ledger: Ledger, *words: str, keys: str = KEY, archive: str = "", of: str = "audit") -> Result:
    """What a command says, which has a loop of its own."""
    environment = {
        "HEADGATE_DATABASE_URL": ledger.world.url,
        "HEADGATE_AUDIT_SIGNING_KEYS": keys,
        "HEADGATE_ARCHIVE_STORE": archive,
        "HEADGATE_OBJECT_STORE": "memory://",
    }
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, [of, *words], None, environment))


async def test_a_log_that_nobody_touched(ledger: Ledger) -> None:
    found = await headgate(ledger, "verify")

    acme = ledger.world.ids["acme"]
    assert found.output == f"rounds: 1 are good\nacme ({acme}): 3 entries are good, and signed up to entry 3\n"
    assert found.exit_code == 0


async def test_a_log_that_was_edited(ledger: Ledger) -> None:
    await ledger.tamper("UPDATE headgate.audit_log SET actor_name = 'bob' WHERE sequence = 2")
    for words in ([], ["--workspace", "acme"]):
        found = await headgate(ledger, "verify", *words)

        assert "entry 2 is bad: edited: " in found.output
        assert found.exit_code == 1


async def test_without_keys_it_says_what_is_not_found(ledger: Ledger) -> None:
    found = await headgate(ledger, "verify", keys="")

    assert "re-stamping is not found" in found.output
    assert found.exit_code == 0


async def test_whoever_has_the_public_keys_can_verify_and_not_sign(ledger: Ledger, tmp_path: Path) -> None:
    printed = await headgate(ledger, "public-keys")
    assert printed.output == PUBLIC.text()
    file = tmp_path / "keys"
    file.write_text(printed.output, "utf-8")

    found = await headgate(ledger, "verify", "--public-keys", str(file), keys="")

    assert "rounds: 1 are good" in found.output
    assert found.exit_code == 0


async def test_a_round_that_is_remembered(ledger: Ledger) -> None:
    [row] = await ledger.world.rows("SELECT encode(digest, 'hex') AS digest FROM headgate.audit_rounds")
    assert (await headgate(ledger, "verify", "--expect", f"1:{row['digest']}")).exit_code == 0
    for table in ("audit_rounds", "audit_checkpoints"):
        await ledger.tamper(f"DELETE FROM headgate.{table}")

    found = await headgate(ledger, "verify", "--expect", f"1:{row['digest']}")

    assert "round 1 is bad: truncated: " in found.output
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["verify", "--expect", "1"], "<number>:<digest>"),
        (["verify", "--expect", f"1:{'00' * 32}", "--workspace", "acme"], "leave --workspace out"),
        (["verify", "--workspace", "nobody"], "there is no workspace nobody"),
        (["export", "--workspace", "nobody"], "there is no workspace nobody"),
        (["verify", "--public-keys", "/nowhere"], "cannot be read"),
    ],
)
async def test_what_cannot_be_done_is_told(ledger: Ledger, words: list[str], says: str) -> None:
    found = await headgate(ledger, *words)

    assert found.exit_code != 0
    assert says in " ".join(found.output.split())


async def test_a_copy_has_all_that_was_hashed(ledger: Ledger) -> None:
    found = await headgate(ledger, "export", "--workspace", "acme")

    lines = [json.loads(line) for line in found.output.splitlines()]
    assert [line["sequence"] for line in lines] == [1, 2, 3]
    assert [line["hash"] for line in lines] == [entry.hash.hex() for entry in await ledger.entries()]
    assert lines[1]["previousHash"] == lines[0]["hash"]


async def test_a_log_of_which_a_part_is_archived(ledger: Ledger, tmp_path: Path) -> None:
    world, archive = ledger.world, f"file://{tmp_path}/archive"
    await given_retention(world, KEPT)
    await ledger.sign()
    # Commands go by the clock on the wall, on which that is long ago; this is not.
    world.clock.now = wall()
    await ledger.given_entries(1)
    await ledger.sign()

    moved = await headgate(ledger, "run", archive=archive, of="retention")
    whole = await headgate(ledger, "verify", archive=archive)
    left = await headgate(ledger, "verify")
    copy = await headgate(ledger, "export", "--workspace", "acme", archive=archive)
    rest = await headgate(ledger, "export", "--workspace", "acme")

    assert moved.output.startswith("0 runs and 4 entries of audit logs were archived in 1 parts, ")
    assert ": 5 entries are good, and signed up to entry 5\n" in whole.output
    assert ": 1 entries from entry 5 on are good, and signed up to entry 5\n" in left.output
    assert [json.loads(line)["sequence"] for line in copy.stdout.splitlines()] == [1, 2, 3, 4, 5]
    assert [json.loads(line)["sequence"] for line in rest.stdout.splitlines()] == [5]
    assert "entries before 5 are not in Postgres any more" in rest.stderr
    assert {each.exit_code for each in (moved, whole, left, copy, rest)} == {0}


def lose(folder: Path) -> None:
    for file in folder.rglob("*.parquet"):
        file.unlink()


async def test_an_archive_that_was_damaged_is_told_with_the_entry(ledger: Ledger, tmp_path: Path) -> None:
    archive = f"file://{tmp_path}/archive"
    await given_retention(ledger.world, KEPT)
    await ledger.sign()
    await headgate(ledger, "run", archive=archive, of="retention")
    lose(tmp_path)

    found = await headgate(ledger, "verify", archive=archive)
    copy = await headgate(ledger, "export", "--workspace", "acme", archive=archive)

    assert "entry 1 is bad: damaged: a file of the archive is missing" in found.output
    assert (found.exit_code, copy.exit_code) == (1, 1)
    assert "a file of the archive is missing" in copy.output
