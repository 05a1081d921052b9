"""Finding archived runs by their errors, as those that are not archived."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from headgate.domain.search import SearchKind
from headgate.engine.archive.kind import NotArchived
from headgate.engine.archive.listing import MOST_PARTS
from headgate.objects.object_store import StoreUnavailable
from tests.component.archived import Archive
from tests.component.test_search import failed, found, runs
from tests.component.world import World, one_node


async def failed_each_month(world: World, months: int, message: str = "No space left on device") -> list[UUID]:
    """Runs of so many months, the oldest first, and beside each one that failed otherwise and one that did not."""
    made = []
    for _ in range(months):
        made.append(await failed(world, message))
        await failed(world, "connection refused")
        await world.succeed(await world.admit())
        world.clock.advance(days=31)
        await world.engine.ensure_partitions(world.clock.now)
    return made


async def test_archived_runs_follow_those_in_the_history_each_once_and_over_pages(archive: Archive) -> None:
    old = await failed_each_month(archive.world, 3)
    await archive.round(days=91)
    new = await failed_each_month(archive.world, 2)
    assert set(old) <= set(await archive.archived())
    assert not set(old) & set(await archive.hot())

    for limit in (1, 2, 3, 50):
        assert await runs(archive.world, "space device", limit) == [*reversed(old + new)]


async def test_one_that_is_in_the_archive_and_still_in_the_history_is_found_once(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_yet(*_arguments: object) -> None:
        raise NotArchived("not yet")

    world = archive.world
    # As long as one has not ended, its month does not go as a whole.
    await world.admit()
    made = await failed_each_month(world, 1)
    with monkeypatch.context() as patch:
        patch.setattr("headgate.engine.archive.removing.remove", not_yet)
        await archive.archiver.run(world.clock.advance(days=91), world.ids["acme"])
    assert set(made) <= set(await archive.archived()) & set(await archive.hot())

    assert await runs(world, "space") == made


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("SPACE left", True),
        ('"space left"', True),
        ('"left space"', False),
        ("space -device", False),
        ("teapot or space", True),
        ("exit code", True),
        ("spac", False),
        ("or", False),
    ],
)
async def test_words_go_together_as_in_the_history(archive: Archive, query: str, is_found: bool) -> None:
    made = await failed_each_month(archive.world, 1)
    await archive.round(days=91)

    assert (made[0] in await runs(archive.world, query)) is is_found


async def test_a_hit_tells_what_one_in_the_history_does(archive: Archive) -> None:
    await failed_each_month(archive.world, 1)
    before = await found(archive.world, SearchKind.RUN, "space")

    await archive.round(days=91)

    assert await found(archive.world, SearchKind.RUN, "space") == before


async def test_another_workspaces_archive_is_not_looked_into(archive: Archive) -> None:
    world = archive.world
    await world.given_workspace("other")
    await world.given(one_node(), "other")
    run = await failed(world, "No space left on device", workspace="other")
    await archive.round(days=91)

    assert await runs(world, "space") == []
    assert [hit.run_id for hit in await found(world, SearchKind.RUN, "space", workspace="other")] == [run]


async def test_a_page_looks_into_a_few_parts_and_says_where_it_goes_on(archive: Archive) -> None:
    world = archive.world
    old = await failed(world, "teapot")
    world.clock.advance(days=31)
    await failed_each_month(world, MOST_PARTS + 2)
    await archive.round(days=91)

    page = await world.engine.search.find(world.ids["acme"], SearchKind.RUN, "teapot")

    assert (page.items, page.next_cursor is not None) == ((), True)
    assert await runs(world, "teapot") == [old]


async def test_what_the_history_has_is_found_while_the_archive_is_away(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_arguments: object) -> bytes:
        raise StoreUnavailable("the object store cannot be used")

    world = archive.world
    await failed_each_month(world, 1)
    await archive.round(days=91)
    new = await failed(world, "space")
    monkeypatch.setattr(archive.objects, "get", away)

    page = await world.engine.search.find(world.ids["acme"], SearchKind.RUN, "space")

    assert [hit.run_id for hit in page.items] == [new]
    with pytest.raises(StoreUnavailable):
        await world.engine.search.find(world.ids["acme"], SearchKind.RUN, "space", page.next_cursor)


async def test_it_takes_a_statement_more_and_a_transaction_and_a_file_for_each_part(
    archive: Archive, sent: list[str]
) -> None:
    """docs/design/0028 gives the same numbers."""
    world = archive.world
    await failed_each_month(world, 2)
    await archive.round(days=91)
    await runs(world, "space")

    world.clock.advance(seconds=timedelta(minutes=1).total_seconds())
    sent.clear()
    await runs(world, "space")

    assert len(sent) == 6 + 2 * 3 + 3
