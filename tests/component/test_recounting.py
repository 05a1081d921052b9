"""What is kept is counted anew, exactly, whatever was counted before and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from headgate.cli.main import app
from headgate.engine import recounting
from headgate.engine.recounting import NotNow, Recounted
from headgate.store import recounting as statements
from headgate.store.database import Transaction
from headgate.store.recounting import Place
from tests.component.archived import Archive
from tests.component.keeping import CASES, ODD, copied, given_values, of_all_kinds, whole
from tests.component.kept import assert_exact, assert_pot_exact, kept
from tests.component.world import World, one_node


async def miscount(world: World, bytes_: int, workspace: str = "acme") -> None:
    """Have so many bytes more counted than are kept, as an older release might have, never less than none."""
    await world.rows(
        "WITH usage AS (UPDATE headgate.workspace_usage SET storage_bytes = greatest(storage_bytes + %s, 0)"
        " WHERE workspace_id = %s), pots AS ("
        " UPDATE headgate.quota_pots p SET storage_bytes = (SELECT sum(greatest(u.storage_bytes +"
        " CASE u.workspace_id WHEN %s THEN %s ELSE 0 END, 0)) FROM headgate.workspace_usage u"
        " JOIN headgate.workspace_resource_quotas q USING (workspace_id) WHERE q.pot = p.name))"
        " SELECT 1",
        *(bytes_, world.ids[workspace], world.ids[workspace], bytes_),
    )


async def mended(world: World, workspace: str = "acme") -> Recounted:
    return await world.engine.recounting.mend(world.ids[workspace])


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[Any]], most: int = 4) -> list[int]:
    """Have it happen while runs are counted, one by one: after each of the first ones. How often it did."""
    read, times = statements.runs, [0]

    async def one_by_one(tx: Transaction, workspace_id: UUID, behind: Place, limit: int) -> tuple[int, Place | None]:
        found = await read(tx, workspace_id, behind, limit)
        if times[0] < most:
            times[0] += 1
            await happens()
        return found

    monkeypatch.setattr(recounting, "PAGE", 1)
    monkeypatch.setattr(statements, "runs", one_by_one)
    return times


@pytest.mark.parametrize("pot", [None, "team"])
@pytest.mark.parametrize("happens", CASES, ids=lambda case: case.__name__)
async def test_all_that_is_kept_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch, happens: Callable[[World], Awaitable[None]], pot: str | None
) -> None:
    monkeypatch.setattr(recounting, "PAGE", 1)
    await world.given_workspace(pot=pot)
    given_values(world)
    await world.given(of_all_kinds())
    await happens(world)
    there = sum((await assert_exact(world)).values())

    for more in (-(10**9), 12_345):
        await miscount(world, more)
        assert await mended(world) == Recounted(max(there + more, 0), there)

        await assert_exact(world)
        if pot is not None:
            await assert_pot_exact(world, pot, "acme")
    assert await mended(world) == Recounted(there, there)


async def test_what_runs_keep_is_counted_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    given_values(world)
    await world.given(of_all_kinds())
    for _ in range(5):
        await whole(world)
    await miscount(world, -1000)

    for page in (1, 2, 5, 6):
        monkeypatch.setattr(recounting, "PAGE", page)
        found = await world.engine.recounting.look(world.ids["acme"])
        assert found.kept == found.counted + 1000 == sum((await kept(world)).values())


async def test_whoever_writes_meanwhile_is_counted_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    given_values(world)
    await world.given(of_all_kinds())
    for _ in range(4):
        await whole(world)
    await miscount(world, 777)
    running = [await world.admit(inputs={"text": "y" * 100}) for _ in range(4)]

    async def happens() -> None:
        await whole(world)
        await world.engine.control.cancel(world.ids["acme"], running.pop(), "enough")

    times = meanwhile(monkeypatch, happens)
    found = await mended(world)

    assert (times, found.counted - found.kept) == ([4], 777)
    await assert_exact(world)


async def test_where_more_is_given_back_than_was_counted_it_is_looked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_values(world)
    await copied(world)
    await world.given(one_node("other", memoize={"key": "same"}))
    await world.succeed(await world.admit("other"), output=ODD)
    await miscount(world, -(10**9))

    async def happens() -> None:
        await world.engine.workflows.retire(world.ids["acme"], "acme", "other")

    meanwhile(monkeypatch, happens, most=1)
    await mended(world)

    assert "remembered" not in await assert_exact(world)


async def test_one_counts_a_workspace_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.given_workspace("other")
    await world.given(one_node())
    await world.succeed(await world.admit(), output=ODD)
    await miscount(world, 9)
    refused: list[NotNow] = []

    async def happens() -> None:
        await mended(world, "other")
        try:
            await mended(world)
        except NotNow as error:
            refused.append(error)

    meanwhile(monkeypatch, happens, most=1)
    await mended(world)

    assert ["somebody else" in str(error) for error in refused] == [True]
    await assert_exact(world)
    found = await mended(world)
    assert found.kept == found.counted, "the turn ended"


async def test_while_runs_leave_for_the_archive_it_waits(world: World) -> None:
    given_values(world)
    archive = Archive(world)
    await world.given(of_all_kinds())
    await whole(world)
    await archive.round(days=91)
    assert (await mended(world)).kept == 0
    await world.rows("UPDATE headgate.archive_parts SET state = 'Verified' RETURNING 1")

    with pytest.raises(NotNow, match="on their way out into the archive"):
        await mended(world)


async def test_other_workspaces_stay_as_they_are(world: World) -> None:
    await world.given_workspace("other")
    for workspace in ("acme", "other"):
        await world.given(one_node(), workspace)
        run = await world.admit(workspace=workspace)
        await world.succeed(run, output=ODD, workspace=workspace)
        await miscount(world, 50, workspace)
    before = (await world.usage("other"))["storage_bytes"]

    await mended(world)

    await assert_exact(world)
    assert (await world.usage("other"))["storage_bytes"] == before


class TestCommand:
    async def headgate(self, world: World, *words: str) -> Result:
        environment = {"HEADGATE_DATABASE_URL": world.url}
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["recount", *words], None, environment))

    @pytest.fixture
    async def there(self, world: World) -> int:
        await world.given(one_node())
        await world.succeed(await world.admit(), output=ODD)
        there = sum((await assert_exact(world)).values())
        await miscount(world, 40)
        return there

    async def test_it_tells_of_each_what_was_counted(self, world: World, there: int) -> None:
        await world.given_workspace("other")

        found = await self.headgate(world)

        assert found.exit_code == 0, found.output
        assert found.output.splitlines() == [
            f"acme: {there} bytes are kept, {there + 40} were counted: -40",
            "other: 0 bytes are kept, as they were counted",
        ]
        await assert_exact(world)

    async def test_to_check_changes_nothing(self, world: World, there: int) -> None:
        found = await self.headgate(world, "--workspace", "acme", "--check")

        assert (found.exit_code, f"{there + 40} were counted" in found.output) == (1, True)
        assert (await world.usage())["storage_bytes"] == there + 40

    async def test_it_knows_of_no_other_workspace(self, world: World) -> None:
        found = await self.headgate(world, "--workspace", "nobody")

        assert (found.exit_code, "no workspace nobody" in found.output) == (1, True)
