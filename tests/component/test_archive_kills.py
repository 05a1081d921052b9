"""Rounds of the archive that are killed, or meet, lose no run, and have none there twice."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from tests.component.archived import Archive, FusedStore, finished
from tests.component.replica import Fuse, FusedDatabase, Killed, at_every_write
from tests.component.world import World, one_node


async def test_two_at_once_archive_each_run_once(archive: Archive) -> None:
    runs = [await finished(archive.world) for _ in range(5)]
    archive.world.clock.advance(days=91)
    young = await finished(archive.world)

    await asyncio.gather(*(archive.round() for _ in range(3)))
    await archive.round()

    assert (await archive.archived(), await archive.hot()) == (runs, [young])
    assert (await archive.world.usage())["storage_bytes"] == len('{"rows": 7}') + len('{"day": null}')
    assert len(await archive.paths()) == 3


async def test_a_kill_at_any_write_loses_nothing_and_doubles_nothing(world: World) -> None:
    """A round is cut at each of its writes: of objects, and of transactions."""
    assert await at_every_write(lambda fuse: story(world, fuse)) > 20


async def story(world: World, fuse: Fuse) -> None:
    """A round that may be killed, one that is not, and what is there then; in a workspace of its own."""
    name = f"w-{len(world.ids)}"
    await world.given_workspace(name)
    await world.given(one_node(), name)
    first, second, young = [await world.admit(workspace=name, labels={"n": str(n)}) for n in range(3)]
    for run in (first, second):
        await world.succeed(run, output={"rows": 7}, workspace=name)
    archive, later = Archive(world, objects=FusedStore(Fuse())), world.clock.now + timedelta(days=91)
    await killed_in(archive, fuse, name, later)

    await archive.archiver.run(later, world.ids[name])

    assert (await archive.archived(name), await archive.hot(name)) == ([first, second], [young])
    assert (await world.usage(name))["storage_bytes"] == 0
    assert len(await archive.paths()) == 3
    assert [run.run_id for run in await archive.listed(workspace=name)] == [young, second, first]


async def killed_in(archive: Archive, fuse: Fuse, name: str, now: datetime) -> None:
    """A round of one workspace, as far as the fuse lets it come."""
    database = FusedDatabase(archive.world.url, fuse)
    archiver = archive.archiver_of(archive.engine_of(database))
    stores = [store for store in (archive.objects, archive.logs) if isinstance(store, FusedStore)]
    for store in stores:
        store.fuse = fuse
    with suppress(Killed):
        await archiver.run(now, archive.world.ids[name])
    for store in stores:
        store.fuse = Fuse()
    await database.close()


async def test_a_kill_while_parts_are_deleted_leaves_nothing_behind(world: World) -> None:
    assert await at_every_write(lambda fuse: ending(world, fuse)) > 1


async def ending(world: World, fuse: Fuse) -> None:
    """A part that has been kept long enough, with a log, and a round that may be killed."""
    name = f"w-{len(world.ids)}"
    await world.given_workspace(name)
    await world.given(one_node(), name)
    run = await world.admit(workspace=name)
    await world.succeed(run, workspace=name)
    archive, now = Archive(world, objects=FusedStore(Fuse())), world.clock.now
    path = f"{world.ids[name]}/2026-03/{run}/work.1.log"
    await archive.logs.put(path, b"hello")
    assert await world.engine.logs.record(world.ref(run, "work", workspace=name), path, 5, truncated=False)
    await archive.archiver.run(now + timedelta(days=91), world.ids[name])
    assert (await world.usage(name))["storage_bytes"] == 5
    await killed_in(archive, fuse, name, now + timedelta(days=2600))

    await archive.archiver.run(now + timedelta(days=2600), world.ids[name])

    assert (await archive.paths(), await archive.parts(name), await archive.hot(name)) == ([], [], [])
    assert [item async for item in archive.logs.list("")] == []
    assert (await world.usage(name))["storage_bytes"] == 0
