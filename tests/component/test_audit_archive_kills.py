"""Rounds of the archive that are killed, or meet, lose no entry of an audit log, and have none there twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.component.archived import FusedStore
from tests.component.old_entries import KEPT, OldEntries, given_retention
from tests.component.replica import Fuse, at_every_write
from tests.component.world import World


async def test_what_was_changed_after_it_was_written_is_not_deleted(old: OldEntries) -> None:
    """The part is verified, and its rows are about to go."""
    fuse = Fuse()
    whole = await moves(old, fuse)
    await given_retention(old.world, KEPT)
    await old.given(2)
    later = old.world.clock.advance(days=31)
    for at in range(1, whole):
        await old.killed_round(Fuse(at), "acme", later)
        if [part["state"] for part in await old.parts()][-1] == "Verified":
            break
    await old.ledger.tamper("UPDATE headgate.audit_log SET actor_name = 'bob' WHERE sequence = 7")

    done = await old.archive.round()

    assert "are not those of the archive" in done.failed[old.world.ids["acme"]]
    assert 7 in await old.hot()


async def moves(old: OldEntries, fuse: Fuse) -> int:
    """Move what there is, and count the writes."""
    await old.killed_round(fuse, "acme", old.world.clock.advance(days=31))
    assert await old.hot() == []
    return fuse.writes


async def test_two_at_once_move_each_entry_once(old: OldEntries) -> None:
    old.world.clock.advance(days=31)

    rounds = await asyncio.gather(*(old.archive.round() for _ in range(3)))
    await old.archive.round()

    assert [round_.failed for round_ in rounds] == [{}, {}, {}]
    assert (await old.archived(), await old.hot()) == ([1, 2, 3, 4, 5], [])
    assert len(await old.archive.paths()) == 2
    assert (await old.verified()).finding is None


async def test_a_kill_at_any_write_loses_nothing_and_doubles_nothing(world: World) -> None:
    """A round is cut at each of its writes: of objects, and of transactions."""
    assert await at_every_write(lambda fuse: story(world, fuse)) > 10


async def story(world: World, fuse: Fuse) -> None:
    """A round that may be killed, one that is not, and what is there then; in a workspace of its own."""
    name = f"w-{len(world.ids)}"
    old = OldEntries(world, FusedStore(Fuse()))
    await given_retention(world, KEPT, name)
    began = world.clock.now
    await old.given(3, name)
    await old.given(2, name, days=20)
    before, later = await old.whole(name), world.clock.now + timedelta(days=11)
    await old.killed_round(fuse, name, later)
    # In whatever state it was left.
    assert (await old.verified(name)).finding is None
    assert (await old.verified_without_archive(name)).finding is None
    assert await old.whole(name) == before

    await old.archive.archiver.run(later, world.ids[name])

    assert (await old.archived(name), await old.hot(name)) == ([1, 2, 3, 4], [5, 6])
    assert await old.whole(name) == before
    assert (await old.verified(name)).finding is None
    assert len(await old.archive.paths()) == 2
    world.clock.now = began


async def test_a_kill_while_parts_are_deleted_leaves_nothing_behind(world: World) -> None:
    assert await at_every_write(lambda fuse: ending(world, fuse)) > 1


async def ending(world: World, fuse: Fuse) -> None:
    """A part that has been kept long enough, and a round that may be killed."""
    name = f"w-{len(world.ids)}"
    old = OldEntries(world, FusedStore(Fuse()))
    await given_retention(world, KEPT, name)
    await old.given(2, name)
    now = world.clock.now
    await old.archive.archiver.run(now + timedelta(days=31), world.ids[name])
    assert await old.hot(name) == []
    await old.killed_round(fuse, name, now + timedelta(days=2600))
    assert (await old.verified(name)).finding is None

    await old.archive.archiver.run(now + timedelta(days=2600), world.ids[name])

    assert (await old.archive.paths(), await old.parts(name), await old.hot(name)) == ([], [], [])
    found = await old.verified(name)
    assert (found.finding, found.after, found.entries) == (None, 3, 0)
