from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import BaseError

from headgate.dependencies import DependencyGuard
from headgate.domain.dependency_breaker import DependencyName
from headgate.objects.folder_room import BLOCK
from headgate.objects.object_store import (
    SENDERS,
    InvalidObjectStore,
    ObjectMissing,
    ObjectStore,
    StoreUnavailable,
    check,
)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    """An empty store; a folder is not there yet."""
    store = ObjectStore(f"file://{tmp_path}/some/where" if request.param == "file" else "memory://")
    yield store
    store.close()


async def test_what_was_put_is_there(store: ObjectStore) -> None:
    await store.put("a/b.log", b"hello")

    assert await store.get("a/b.log") == b"hello"


async def test_the_last_one_counts(store: ObjectStore) -> None:
    await store.put("a", b"first, and longer")
    await store.put("a", b"second")

    assert await store.get("a") == b"second"


async def test_it_may_come_in_pieces(store: ObjectStore) -> None:
    await store.put("a", iter([b"one ", b"two"]))

    assert await store.get("a") == b"one two"


@pytest.mark.parametrize(
    ("start", "length", "part"), [(0, 2, b"01"), (3, 4, b"3456"), (8, 99, b"89"), (4, None, b"456789"), (10, 5, b"")]
)
async def test_a_part_can_be_had(store: ObjectStore, start: int, length: int | None, part: bytes) -> None:
    await store.put("a", b"0123456789")

    assert await store.get("a", start, length) == part


async def test_an_empty_object_is_one(store: ObjectStore) -> None:
    await store.put("a", b"")

    assert await store.get("a") == b""
    assert await store.get("a", 0, 5) == b""


async def test_what_is_not_there_is_missing(store: ObjectStore) -> None:
    with pytest.raises(ObjectMissing):
        await store.get("a")
    with pytest.raises(ObjectMissing):
        await store.get("a", 1, 2)


async def test_deleting_may_be_repeated(store: ObjectStore) -> None:
    await store.put("a", b"x")

    await store.delete("a")
    await store.delete("a")

    with pytest.raises(ObjectMissing):
        await store.get("a")


async def test_what_is_below_a_path_is_listed(store: ObjectStore) -> None:
    for path in ("acme/2026-03/one.log", "acme/2026-04/two.log", "other/2026-03/three.log"):
        await store.put(path, b"12345")

    assert {(found.path, found.size) async for found in store.list("acme")} == {
        ("acme/2026-03/one.log", 5),
        ("acme/2026-04/two.log", 5),
    }
    assert [found async for found in store.list("nobody")] == []


async def test_a_path_cannot_lead_out_of_the_store(store: ObjectStore) -> None:
    with pytest.raises(StoreUnavailable):
        await store.put("../../outside", b"x")


async def test_a_folder_that_cannot_be_made_is_told_when_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    store = ObjectStore(f"file://{tmp_path}/taken/objects")

    with pytest.raises(StoreUnavailable, match="Not a directory"):
        await store.put("a", b"x")

    (tmp_path / "taken").unlink()
    await store.put("a", b"x")
    assert await store.get("a") == b"x"


async def test_a_folder_that_refuses_is_left_alone_and_used_again_when_it_works(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    seconds = 0.0
    guard = DependencyGuard(DependencyName.OBJECT_STORE, monotonic=lambda: seconds)
    store = ObjectStore(f"file://{tmp_path}/taken/objects", guard=guard)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="Not a directory"):
            await store.put("a", b"x")

    (tmp_path / "taken").unlink()
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        await store.put("a", b"x")
    assert not (tmp_path / "taken").exists()

    seconds = 2.0
    await store.put("a", b"x")
    assert await store.get("a") == b"x"


async def test_objects_that_are_not_there_and_paths_that_cannot_be_say_nothing_of_the_store(store: ObjectStore) -> None:
    guard = DependencyGuard(DependencyName.OBJECT_STORE, monotonic=lambda: 0.0)
    store._guard = guard

    for _ in range(9):
        with pytest.raises(ObjectMissing):
            await store.get("nowhere")
        with pytest.raises(StoreUnavailable):
            await store.put("../../outside", b"x")

    assert guard.there


@pytest.mark.parametrize(("status", "there"), [(403, True), (404, True), (429, False), (500, False), (503, False)])
async def test_a_bucket_that_refuses_one_thing_is_there(
    monkeypatch: pytest.MonkeyPatch, status: int, *, there: bool
) -> None:
    def refuse(*_: object) -> None:
        raise BaseError(f"Error performing PUT: Server returned non-2xx status code: {status}: no")

    monkeypatch.setattr(obstore, "put", refuse)
    guard = DependencyGuard(DependencyName.OBJECT_STORE, monotonic=lambda: 0.0)
    store = ObjectStore("memory://", guard=guard)

    for _ in range(9):
        with pytest.raises(StoreUnavailable):
            await store.put("a", b"x")

    assert guard.there is there


async def test_in_a_folder_of_a_limit_the_oldest_make_room(tmp_path: Path) -> None:
    store = ObjectStore(f"file://{tmp_path}/objects", folder_bytes=10 * 2 * BLOCK)
    for number in range(11):
        await store.put(f"run-{number:02d}/log", b"x" * 100)
        os.utime(tmp_path / "objects" / f"run-{number:02d}" / "log", (number, number))

    left = sorted([found.path async for found in store.list("")])

    assert left == [f"run-{number:02d}/log" for number in range(3, 11)]
    assert not (tmp_path / "objects" / "run-00").exists()


async def test_what_was_there_before_counts(tmp_path: Path) -> None:
    await ObjectStore(f"file://{tmp_path}/objects").put("old", b"x" * 8 * BLOCK)

    await ObjectStore(f"file://{tmp_path}/objects", folder_bytes=10 * BLOCK).put("new", b"x" * BLOCK)

    assert [path.name for path in (tmp_path / "objects").iterdir()] == ["new"]


async def test_a_bucket_that_is_not_there_is_no_missing_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise FileNotFoundError("NoSuchBucket")

    monkeypatch.setattr(obstore, "put", refuse)

    with pytest.raises(StoreUnavailable, match="no such folder or bucket"):
        await ObjectStore("memory://").put("a", b"x")


async def test_a_bucket_that_does_not_answer_tells_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "hunter2-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-key")

    with pytest.raises(StoreUnavailable, match="cannot be used") as raised:
        await ObjectStore("s3://bucket/prefix").put("a", b"x")

    assert "hunter2" not in repr(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "url", ["file:///var/lib/x", "memory://", "s3://bucket/prefix", "gs://bucket", "az://container"]
)
def test_urls_of_stores(url: str) -> None:
    assert check(url) == url.partition(":")[0]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/var/lib/x",
        "file://host/x",
        "file:relative",
        "ftp://x/y",
        "s3:///prefix",
        "s3://id:hunter2@bucket",
        "az://container?sig=hunter2",
        "s3://[hunter2",
    ],
)
def test_what_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(InvalidObjectStore) as raised:
        ObjectStore(url)

    assert "hunter2" not in str(raised.value)


async def pieces(*content: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece
    if then is not None:
        raise then


class TestAsItComes:
    async def test_it_is_written_whole(self, store: ObjectStore) -> None:
        await store.put_pieces("a/b", pieces(*[bytes([number]) * 700_000 for number in range(20)]), 14_000_000)

        assert await store.get("a/b") == b"".join(bytes([number]) * 700_000 for number in range(20))

    async def test_nothing_is_an_object_too(self, store: ObjectStore) -> None:
        await store.put_pieces("a", pieces(), 0)

        assert await store.get("a") == b""

    async def test_what_does_not_come_to_its_end_is_none_and_says_why(self, store: ObjectStore) -> None:
        with pytest.raises(KeyError, match="why"):
            await store.put_pieces("a", pieces(b"x" * 6_000_000, then=KeyError("why")), 7_000_000)

        assert [found async for found in store.list("")] == []

    async def test_nor_is_what_nobody_waits_for_any_more(self, store: ObjectStore) -> None:
        begun = asyncio.Event()

        async def never() -> AsyncIterator[bytes]:
            yield b"x"
            begun.set()
            await asyncio.Event().wait()

        sending = asyncio.create_task(store.put_pieces("a", never(), 2))
        await begun.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        assert [found async for found in store.list("")] == []

    async def test_those_that_come_slowly_keep_nobody_from_reading(self, store: ObjectStore) -> None:
        go_on = asyncio.Event()

        async def waiting() -> AsyncIterator[bytes]:
            await go_on.wait()
            yield b"x"

        await store.put("there", b"here")
        sending = [asyncio.create_task(store.put_pieces(f"a{n}", waiting(), 1)) for n in range(SENDERS)]

        assert await store.get("there") == b"here"
        go_on.set()
        await asyncio.gather(*sending)
        assert await store.get("a0") == b"x"

    async def test_a_folder_makes_room_for_it(self, tmp_path: Path) -> None:
        store = ObjectStore(f"file://{tmp_path}/objects", folder_bytes=4 * BLOCK)
        await store.put("old", b"x" * BLOCK)

        await store.put_pieces("new", pieces(b"y" * BLOCK, b"y" * BLOCK), 2 * BLOCK)

        assert [found.path async for found in store.list("")] == ["new"]
        store.close()

    async def test_a_store_that_cannot_be_used_is_told_as_ever(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        store = ObjectStore(f"file://{tmp_path}/file/objects")

        with pytest.raises(StoreUnavailable):
            await store.put_pieces("a", pieces(b"x"), 1)
        store.close()
