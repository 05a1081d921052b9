"""Files that runs left, when the runs go: they stay with the archive, and go with it, once, wherever a process ends."""

from __future__ import annotations

from datetime import timedelta

from headgate.api.retention import Retention
from headgate.domain.artifacts import artifact_folder
from tests.component.archived import Archive, FusedStore, finished
from tests.component.kept import assert_exact
from tests.component.leaving import assert_all_there, left_by_a_run, lying, noted
from tests.component.replica import Fuse, at_every_write
from tests.component.test_archive import given_retention
from tests.component.test_archive_kills import killed_in
from tests.component.world import World


async def test_they_count_until_they_are_deleted_with_their_part(archive: Archive) -> None:
    world = archive.world
    run = await left_by_a_run(world, archive.logs, a=b"12345", b=b"678")
    log = f"{world.ids['acme']}/2026-03/{run}/work.1.log"
    await archive.logs.put(log, b"hello")
    assert await world.engine.logs.record(world.ref(run, "work"), log, 5, truncated=False)

    await archive.round(days=91)
    assert await noted(world) == []
    assert len(await lying(archive.logs)) == 3
    assert await assert_exact(world) == {"logs of archived runs": 13}

    await archive.round(days=2555)
    assert (await lying(archive.logs), await archive.paths(), await archive.parts()) == ({}, [], [])
    assert await assert_exact(world) == {}


async def test_what_a_dead_gateway_left_unnoted_goes_with_the_rest_of_its_attempt(archive: Archive) -> None:
    world = archive.world
    run = await left_by_a_run(world, archive.logs, a=b"12345")
    await archive.logs.put(f"{artifact_folder(world.ref(run, 'work'))}/unnoted", b"x")
    await archive.round(days=91)

    await archive.round(days=2555)

    assert await lying(archive.logs) == {}


async def test_a_part_of_runs_that_left_none_has_no_file_of_them(archive: Archive) -> None:
    await finished(archive.world)

    await archive.round(days=91)

    assert [path for path in await archive.paths() if "/artifacts/" in path] == []


async def test_a_legal_hold_keeps_them(archive: Archive) -> None:
    world = archive.world
    await left_by_a_run(world, archive.logs, a=b"12345")
    await given_retention(world, Retention(legal_hold=True))
    await archive.round(days=91)
    await assert_all_there(world, archive.logs)

    await given_retention(world, Retention())
    await archive.round()
    await given_retention(world, Retention(legal_hold=True))
    await archive.round(days=4000)

    assert len(await lying(archive.logs)) == 1
    assert await assert_exact(world) == {"logs of archived runs": 5}


async def test_a_month_that_goes_as_a_whole_takes_its_rows_along(archive: Archive) -> None:
    world = archive.world
    await left_by_a_run(world, archive.logs, a=b"12345")

    done = await archive.round(days=120)

    assert done.months > 0
    assert await noted(world) == []
    assert await assert_exact(world) == {"logs of archived runs": 5}


async def test_a_kill_while_they_are_archived_or_deleted_loses_and_doubles_nothing(world: World) -> None:
    assert await at_every_write(lambda fuse: story(world, fuse)) > 25


async def story(world: World, fuse: Fuse) -> None:
    """A run that left files, which is archived and deleted by rounds that may be killed; in a workspace of its own."""
    name = f"w-{len(world.ids)}"
    await world.given_workspace(name)
    archive, now = Archive(world, objects=FusedStore(Fuse()), logs=FusedStore(Fuse())), world.clock.now
    await left_by_a_run(world, archive.logs, workspace=name, a=b"12345", b=b"678")
    later, last = now + timedelta(days=91), now + timedelta(days=2700)

    await killed_in(archive, fuse, name, later)
    await archive.archiver.run(later, world.ids[name])
    assert len(await lying(archive.logs)) == 2
    assert (await world.usage(name))["storage_bytes"] == 8
    await killed_in(archive, fuse, name, last)
    await archive.archiver.run(last, world.ids[name])

    assert (await lying(archive.logs), await archive.paths(), await archive.parts(name)) == ({}, [], [])
    assert (await world.usage(name))["storage_bytes"] == 0
