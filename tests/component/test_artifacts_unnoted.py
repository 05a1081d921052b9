"""Files that came to lie in the object store and that nobody noted: counted while they may be, and then deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from headgate.api.retention import Retention
from headgate.engine.engine import Engine
from headgate.engine.steps.left_files import GRACE, SOON
from headgate.objects.object_store import ObjectStore, StoreUnavailable
from headgate.reconcile.unnoted import UnnotedArtifacts
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.archived import FusedStore
from tests.component.kept import assert_exact
from tests.component.leaving import Leaver, a_leaver, assert_all_there, hold, lying, noted, scripted
from tests.component.replica import Fuse, FusedDatabase, Killed, at_every_write
from tests.component.test_archive import given_retention
from tests.component.world import KEYS, World


@pytest.fixture
async def leaver(api: Api) -> Leaver:
    return await a_leaver(api)


async def swept(world: World, objects: ObjectStore) -> None:
    """What the operator does each minute."""
    await UnnotedArtifacts(world.engine.left_files, objects).once()


async def a_gateway_dies(world: World, objects: ObjectStore, content: bytes = b"12345") -> str:
    """A file lies there whose gateway died before it noted it. Where it lies."""
    await world.given(scripted())
    run = await world.admit()
    await hold(world, run)
    expected = await world.engine.left_files.expect(world.ref(run, "work"), "runner-1", "a", len(content))
    await objects.put(expected.path, content)
    return expected.path


async def test_what_a_dead_gateway_did_not_note_counts_until_it_is_deleted(world: World, api: Api) -> None:
    path = await a_gateway_dies(world, api.objects)
    await swept(world, api.objects)
    assert await lying(api.objects) == {path: b"12345"}
    assert await assert_exact(world) == {"artifacts on their way": 5}

    world.clock.advance(minutes=6)
    await swept(world, api.objects)

    assert await lying(api.objects) == {}
    assert await assert_exact(world) == {}
    assert await unnoted(world) == []


async def test_it_is_not_noted_any_more_once_it_was_given_up(world: World, api: Api, leaver: Leaver) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b"x"
        world.clock.advance(seconds=60 + GRACE.total_seconds())
        assert len(await world.engine.left_files.give_up(world.ids["acme"])) == 1
        yield b"y"

    assert (await leaver.send("a", slowly(), length=2)).status_code == 408

    assert (await noted(world), await lying(api.objects), await unnoted(world)) == ([], {}, [])
    assert await assert_exact(world) == {}
    assert (await leaver.send("a", b"xy")).status_code == 204


async def test_room_that_one_on_its_way_takes_is_no_other_ones(world: World, api: Api, leaver: Leaver) -> None:
    await world.given_workspace(max_storage_mb=1)
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        begun.set()
        await go_on.wait()
        yield b"x" * 600_000

    first = asyncio.create_task(leaver.send("a", waiting(), length=600_000))
    await begun.wait()
    refused = await leaver.send("b", b"x" * 400_001)
    go_on.set()

    assert (refused.status_code, refused.json()["reason"]) == (413, "StorageLimit")
    assert (await first).status_code == 204
    assert await assert_exact(world) == {"artifacts": 600_000}


async def test_what_cannot_be_deleted_now_counts_no_more_and_is_deleted_later(
    world: World, api: Api, leaver: Leaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_path: str) -> None:
        raise StoreUnavailable("the object store cannot be used")

    await leaver.left(a=b"first")
    with monkeypatch.context() as patch:
        patch.setattr(api.objects, "delete", away)
        assert (await leaver.send("a", b"second")).status_code == 204
        world.clock.advance(minutes=2)
        await swept(world, api.objects)
    assert len(await lying(api.objects)) == 2
    assert await assert_exact(world) == {"artifacts": 6}

    world.clock.advance(minutes=6)
    await swept(world, api.objects)

    await assert_all_there(world, api.objects)
    assert await unnoted(world) == []


async def test_an_upload_that_the_store_refuses_takes_no_room(
    world: World, api: Api, leaver: Leaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_arguments: object) -> None:
        raise StoreUnavailable("the object store cannot be used")

    await world.given_workspace(max_storage_mb=1)
    for name in ("put_pieces", "delete"):
        monkeypatch.setattr(api.objects, name, away)

    assert [(await leaver.send("a", b"x" * 900_000)).status_code for _ in range(3)] == [503] * 3
    assert await assert_exact(world) == {}


async def test_a_legal_hold_keeps_it(world: World, api: Api) -> None:
    await a_gateway_dies(world, api.objects)
    await given_retention(world, Retention(legal_hold=True))
    world.clock.advance(minutes=6)

    await swept(world, api.objects)

    assert len(await lying(api.objects)) == 1
    assert await assert_exact(world) == {"artifacts on their way": 5}


async def test_a_gateway_that_dies_anywhere_leaves_nothing_that_is_not_noted(world: World) -> None:
    assert await at_every_write(lambda fuse: story(world, fuse)) > 12


async def story(world: World, fuse: Fuse) -> None:
    """A runner that sends files, one of them again, and begins anew, through a gateway that may die meanwhile."""
    database, objects = FusedDatabase(world.url, Fuse()), FusedStore(Fuse())
    engine = Engine(database, world.expressions, clock=world.clock, keys=KEYS)
    async with replica(world, engine, ApiServer(), Ticking(), objects=objects) as api:
        leaver = await a_leaver(api)
        database.fuse = objects.fuse = fuse
        with suppress(Killed):
            await leaver.left(a=b"first", b=b"second")
            await leaver.send("a", b"again")
            await leaver.left(a=b"third")
        database.fuse = objects.fuse = Fuse()
        world.clock.advance(seconds=60 + (GRACE + SOON).total_seconds())

        await swept(world, objects)

        there = set(await lying(objects))
    await database.close()
    assert there == {row["path"] for row in await noted(world) if row["execution_id"] == leaver.run}
    await assert_exact(world)
    assert await unnoted(world) == []


async def unnoted(world: World) -> list[dict[str, object]]:
    return await world.rows("SELECT * FROM headgate.unnoted_artifacts")
