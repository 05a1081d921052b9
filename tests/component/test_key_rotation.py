"""New keys in the place of old ones: while credentials are handed out, and whenever it is interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from headgate.domain.envelope import KeyRing, UnknownKey
from headgate.engine.credentials import key_rotation
from headgate.engine.credentials.credentials import Credentials
from headgate.engine.credentials.types import Rewrapping, Rotation
from headgate.engine.types import TaskRef
from headgate.store import credentials
from headgate.store.database import Database
from tests.component.replica import Killed
from tests.component.vault import BOTH, LEASE, NEW, OLD, Vault
from tests.component.world import World
from tests.support.databases import TestDatabase

NAMES = tuple(f"c{number}" for number in range(5))


@pytest.fixture
def vault(world: World) -> Vault:
    return Vault(world)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were so many credentials and workspaces that several batches are needed."""
    monkeypatch.setattr(key_rotation, "_BATCH", 2)
    monkeypatch.setattr(key_rotation, "_WORKSPACES", 2)


async def given_credentials(vault: Vault, workspace: str = "acme") -> TaskRef:
    """Five credentials, and an attempt that names them all."""
    for name in NAMES:
        await vault.put(name, f"password-of-{name}", workspace)
    return await vault.given_attempt(*NAMES, workspace=workspace)


async def assert_all_there(vault: Vault, ref: TaskRef, by: Credentials | None = None) -> None:
    found = await vault.released(ref, *NAMES, by=by)
    assert found == {name: {"password": f"password-of-{name}"} for name in NAMES}


async def test_a_new_data_key_takes_the_place_of_the_old_one(vault: Vault, small_batches: None) -> None:
    ref = await given_credentials(vault)
    [before] = await vault.data_keys()

    assert await vault.credentials.rotate_data_key(ref.workspace_id) == Rotation(resealed=5)

    [after] = await vault.data_keys()
    assert after["id"] != before["id"]
    assert after["retired_at"] is None
    rows = await vault.world.rows("SELECT DISTINCT data_key_id, version FROM headgate.credentials")
    assert rows == [{"data_key_id": after["id"], "version": 1}]
    await assert_all_there(vault, ref)
    await vault.put("c0", expected=1)


async def test_a_workspace_without_credentials_is_given_no_key(vault: Vault) -> None:
    assert await vault.credentials.rotate_data_key(vault.world.ids["acme"]) == Rotation()
    assert await vault.data_keys() == []


async def test_the_data_keys_of_all_workspaces_are_wrapped_by_the_current_key(
    vault: Vault, small_batches: None
) -> None:
    refs = [await given_credentials(vault)]
    for name in ("two", "three", "four", "five"):
        await vault.world.given_workspace(name)
        refs.append(await given_credentials(vault, name))
    both = vault.held_by(BOTH)

    assert await both.rewrap() == Rewrapping(rewrapped=5, failed=())

    assert {row["key_encryption_key"] for row in await vault.data_keys()} == {"2026-03"}
    assert await both.rewrap() == Rewrapping(rewrapped=0, failed=())
    for ref in refs:
        await assert_all_there(vault, ref, by=vault.held_by(NEW))
        with pytest.raises(UnknownKey, match="2026-03"):
            await vault.released(ref, "c0", by=vault.held_by(OLD))


async def test_a_process_that_knows_the_new_key_but_wraps_by_the_old_one_reads_all_of_it(vault: Vault) -> None:
    ref = await given_credentials(vault)
    first, not_yet = vault.held_by(BOTH), vault.held_by(KeyRing("2026-01", BOTH.keys))

    await first.rewrap()
    await assert_all_there(vault, ref, by=not_yet)
    await not_yet.rotate_data_key(ref.workspace_id)
    await assert_all_there(vault, ref, by=first)
    assert await first.rewrap() == Rewrapping(rewrapped=1, failed=())


async def test_new_data_keys_for_all_workspaces(vault: Vault, small_batches: None) -> None:
    acme = await given_credentials(vault)
    other = await vault.world.given_workspace("other")
    theirs = await given_credentials(vault, "other")
    before = {row["id"] for row in await vault.data_keys()}

    assert await vault.credentials.rotate_all_data_keys() == {acme.workspace_id: Rotation(5), other: Rotation(5)}

    assert not before & {row["id"] for row in await vault.data_keys()}
    await assert_all_there(vault, acme)
    await assert_all_there(vault, theirs)


async def test_both_keys_are_rotated_while_eight_tasks_are_given_credentials(
    vault: Vault, fresh: TestDatabase, small_batches: None
) -> None:
    for name in NAMES:
        await vault.put(name, f"password-of-{name}")
    refs = [await vault.given_attempt(*NAMES, workflow=f"w{number}") for number in range(8)]
    pool = Database(fresh.url, pool_size=9, pool_timeout=timedelta(seconds=60))
    going, given = True, [0] * 8

    async def ask(number: int) -> None:
        # Half of them are of the release before the new key was there everywhere as the current one.
        by = vault.held_by(BOTH if number % 2 else KeyRing("2026-01", BOTH.keys), pool)
        while going:
            await assert_all_there(vault, refs[number], by=by)
            given[number] += 1

    asking = [asyncio.create_task(ask(number)) for number in range(8)]
    try:
        both = vault.held_by(BOTH)
        for _ in range(3):
            await both.rotate_data_key(vault.world.ids["acme"])
            await vault.held_by(KeyRing("2026-01", BOTH.keys)).rotate_data_key(vault.world.ids["acme"])
            assert (await both.rewrap()).failed == ()
    finally:
        going = False
        await asyncio.gather(*asking)
        await pool.close()

    assert min(given) >= 3
    assert len(await vault.recorded()) == sum(given) * len(NAMES)
    [key] = await vault.data_keys()
    assert (key["key_encryption_key"], key["retired_at"]) == ("2026-03", None)
    rows = await vault.world.rows("SELECT DISTINCT data_key_id FROM headgate.credentials")
    assert rows == [{"data_key_id": key["id"]}]
    await assert_all_there(vault, refs[0], by=vault.held_by(NEW))


async def test_rotations_puts_and_deletions_at_once_lose_nothing(vault: Vault, small_batches: None) -> None:
    ref = await given_credentials(vault)
    acme = ref.workspace_id
    work: list[Awaitable[Any]] = [vault.credentials.rotate_data_key(acme) for _ in range(4)]
    work += [vault.put(name, f"password-of-{name}") for name in NAMES for _ in range(2)]
    work += [vault.put("passing"), vault.credentials.delete(acme, "passing")]

    await asyncio.gather(*work)
    await vault.credentials.rotate_data_key(acme)

    await assert_all_there(vault, ref)
    assert len(await vault.data_keys()) == 1
    views = {view.name: view.version for view in await vault.credentials.list(acme)}
    assert {name: views[name] for name in NAMES} == dict.fromkeys(NAMES, 3)


async def test_what_is_put_while_a_batch_is_sealed_anew_comes_after_it(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await given_credentials(vault)
    reseal, puts = credentials.reseal, list[asyncio.Task[Any]]()

    async def slowly(*arguments: Any) -> int:
        puts.append(asyncio.create_task(vault.put("c0", "newer")))
        await asyncio.sleep(0.2)
        return await reseal(*arguments)

    monkeypatch.setattr(credentials, "reseal", slowly)
    await vault.credentials.rotate_data_key(ref.workspace_id)
    await asyncio.gather(*puts)

    assert len(puts) == 1
    assert await vault.released(ref, "c0") == {"c0": {"password": "newer"}}


Use = Callable[[Credentials, UUID], Awaitable[Any]]
USES: Mapping[str, Use] = {
    "data key": lambda held, acme: held.rotate_data_key(acme),
    "key-encryption key": lambda held, _: held.rewrap(),
}


class Cut:
    """Ends the process before or after one of the statements that are sent to Postgres."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.after, self.sent = 0, False, 0
        execute = psycopg.AsyncCursor.execute

        async def cutting(cursor: Any, *arguments: Any, **options: Any) -> Any:
            self.sent += 1
            if self.sent == self.at and not self.after:
                raise Killed
            result = await execute(cursor, *arguments, **options)
            if self.sent == self.at and self.after:
                raise Killed
            return result

        monkeypatch.setattr(psycopg.AsyncCursor, "execute", cutting)

    def begin(self, at: int, *, after: bool = False) -> None:
        """Count anew; with 0 nothing is cut."""
        self.at, self.after, self.sent = at, after, 0


@pytest.mark.parametrize("rotation", USES)
async def test_whatever_statement_a_rotation_dies_at_nothing_is_lost(
    vault: Vault, small_batches: None, monkeypatch: pytest.MonkeyPatch, rotation: str
) -> None:
    ref = await given_credentials(vault)
    await vault.world.given_workspace("other")
    theirs = await given_credentials(vault, "other")
    use, cut = USES[rotation], Cut(monkeypatch)
    rings = BOTH, KeyRing("2026-01", BOTH.keys)
    cut.begin(0)
    await use(vault.held_by(rings[0]), ref.workspace_id)
    statements = cut.sent
    assert statements >= 10

    for number in range(statements * 2):
        # Each time from the one key-encryption key to the other, so that there is something to do.
        held = vault.held_by(rings[(number + 1) % 2])
        cut.begin(number // 2 + 1, after=bool(number % 2))
        with pytest.raises(Killed):
            await use(held, ref.workspace_id)
        cut.begin(0)
        await assert_all_there(vault, ref, by=held)
        await assert_all_there(vault, theirs, by=held)
        await use(held, ref.workspace_id)
        await assert_all_there(vault, ref, by=held)
        keys = [row for row in await vault.data_keys() if row["workspace_id"] == ref.workspace_id]
        assert [row["retired_at"] for row in keys] == [None]
        for attempt in (ref, theirs):
            await vault.world.engine.runner_tasks.heartbeat(attempt, "pod-1", LEASE)

    assert [view.version for view in await vault.credentials.list(ref.workspace_id)] == [1] * 5


async def test_what_cannot_be_read_any_more_holds_up_nothing_and_is_named(vault: Vault, small_batches: None) -> None:
    ref = await given_credentials(vault)
    await vault.world.rows(
        "UPDATE headgate.credentials SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE name = 'c1'"
        " RETURNING 1"
    )

    for _ in range(2):
        rotation = await vault.credentials.rotate_data_key(ref.workspace_id)
        assert rotation == Rotation(resealed=4, unreadable=("c1",))

    assert [bool(row["retired_at"]) for row in await vault.data_keys()] == [True, False]
    assert len(await vault.released(ref, "c0", "c2", "c3", "c4")) == 4
    await vault.put("c1", "password-of-c1")
    await vault.credentials.rotate_data_key(ref.workspace_id)
    await assert_all_there(vault, ref)
    assert len(await vault.data_keys()) == 1


async def test_a_data_key_that_cannot_be_unwrapped_is_named_and_the_others_are_done(
    vault: Vault, small_batches: None
) -> None:
    ref = await given_credentials(vault)
    other = await vault.world.given_workspace("other")
    await given_credentials(vault, "other")
    await vault.world.rows(
        "UPDATE headgate.data_keys SET wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)"
        " WHERE workspace_id = %s RETURNING 1",
        other,
    )

    assert await vault.held_by(BOTH).rewrap() == Rewrapping(rewrapped=1, failed=(other,))
    await assert_all_there(vault, ref, by=vault.held_by(NEW))
    assert await vault.held_by(NEW).rewrap() == Rewrapping(rewrapped=0, failed=(other,))
