"""Archived runs by the API, and the commands of those who run Headgate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from headgate.cli.main import app
from headgate.objects.object_store import ObjectStore, StoreUnavailable
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.archived import Archive, finished
from tests.component.old_entries import KEPT, OldEntries, given_retention
from tests.component.world import World, one_node


@pytest.fixture
async def archive(world: World) -> Archive:
    await world.given(one_node())
    return Archive(world)


@pytest.fixture
async def reading(archive: Archive) -> AsyncIterator[Api]:
    """A gateway that knows of the archive."""
    async with replica(archive.world, archive.engine, ApiServer(), Ticking()) as made:
        yield made


async def test_an_archived_run_is_answered_as_before_and_says_where_it_is(reading: Api, archive: Archive) -> None:
    run = await finished(archive.world)
    before = (await reading.get(f"/runs/{run}"), await reading.get("/runs"))
    await archive.round(days=91)
    # Keys end, and so do hours.
    reading.token = ""

    after = await reading.get(f"/runs/{run}"), await reading.get("/runs")

    assert not before[0]["archived"]
    assert after == ({**before[0], "archived": True}, before[1])


async def test_an_archived_run_is_not_changed_any_more(reading: Api, archive: Archive) -> None:
    run = await archive.world.admit()
    await archive.world.fail(run)
    await archive.world.rows("UPDATE headgate.workflow_executions SET resource = NULL RETURNING 1")
    await archive.round(days=91)

    answer = await reading.call("POST", f"/runs/{run}/retry")

    assert answer.status_code == 409
    assert "in the archive" in answer.json()["detail"]


async def test_an_archive_that_is_away_is_told_as_that(
    reading: Api, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await finished(archive.world)
    await archive.round(days=91)

    async def away(*_arguments: object) -> bytes:
        raise StoreUnavailable("the object store cannot be used")

    monkeypatch.setattr(archive.objects, "get", away)
    answer = await reading.call("GET", f"/runs/{run}")

    assert answer.status_code == 503
    assert "archive" in answer.json()["detail"]


async def test_archived_entries_of_the_audit_log_are_listed_as_before(world: World) -> None:
    old = OldEntries(world)
    await given_retention(world, KEPT)
    await old.given(3)
    async with replica(world, old.archive.engine, ApiServer(), Ticking()) as reading:
        before = await reading.get("/audit")
        await old.archive.round(days=31)
        reading.token = ""
        assert await old.hot() == []

        assert await reading.get("/audit") == before
        page = await reading.get("/audit?limit=2")
        assert [item["sequence"] for item in page["items"]] == [5, 4]
        rest = await reading.get(f"/audit?cursor={page['nextCursor']}")
        assert [item["sequence"] for item in rest["items"]] == [3, 2, 1]


async def test_a_gateway_that_does_not_know_the_archive_says_so_of_the_audit_log(world: World) -> None:
    old = OldEntries(world)
    await given_retention(world, KEPT)
    await old.given(3)
    await old.archive.round(days=31)
    async with replica(world, world.another_engine(), ApiServer(), Ticking()) as reading:
        answer = await reading.call("GET", "/audit")

    assert answer.status_code == 409
    assert "in the archive" in answer.json()["detail"]


async def headgate(world: World, folder: Path, *words: str, store: str | None = None) -> Result:
    environment = {
        "HEADGATE_DATABASE_URL": world.url,
        "HEADGATE_OBJECT_STORE": f"file://{folder}/logs",
        "HEADGATE_ARCHIVE_STORE": f"file://{folder}/archive" if store is None else store,
    }
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, words, None, environment))


async def test_a_round_by_command_says_what_it_did(world: World, tmp_path: Path) -> None:
    await world.given(one_node())
    world.clock.now = world.clock.now.replace(year=2025)
    await world.engine.ensure_partitions(world.clock.now)
    await finished(world)

    found = await headgate(world, tmp_path, "retention", "run", "--workspace", "acme")

    assert found.exit_code == 0, found.output
    assert found.output.startswith("1 runs and 0 entries of audit logs were archived in 1 parts, ")
    assert "set HEADGATE_AUDIT_SIGNING_KEYS" in found.output
    archive = ObjectStore(f"file://{tmp_path}/archive")
    assert len([item async for item in archive.list("archive")]) == 3
    archive.close()


async def test_the_history_by_command_shows_all_attempts_of_an_archived_run(world: World, tmp_path: Path) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
    world.clock.now = world.clock.now.replace(year=2025)
    await world.engine.ensure_partitions(world.clock.now)
    run = await world.admit()
    await world.fail(run)
    await world.succeed(run, attempt=2)
    await headgate(world, tmp_path, "retention", "run")
    asked = "history", "--workspace", "acme", "--run", str(run)

    found = await headgate(world, tmp_path, *asked)
    as_json = await headgate(world, tmp_path, *asked, "-o", "json")
    without = await headgate(world, tmp_path, *asked, store="")

    assert (found.exit_code, "Succeeded" in found.output) == (0, True), found.output
    assert [line.split()[:3] for line in found.output.splitlines() if line.split()[:1] == ["work"]] == [
        ["work", "Failed", "1"],
        ["work", "Succeeded", "2"],
    ]
    nodes = json.loads(as_json.output)["nodes"]
    assert [(node["attempt"], node["reason"]) for node in nodes] == [(1, "ExitCode"), (2, "")]
    assert (without.exit_code, "set HEADGATE_ARCHIVE_STORE" in without.output) == (1, True), without.output


async def test_without_an_archive_the_command_says_what_to_set(world: World, tmp_path: Path) -> None:
    found = await headgate(world, tmp_path, "retention", "run", store="")

    assert found.exit_code != 0
    assert "HEADGATE_ARCHIVE_STORE" in found.output


async def test_the_command_knows_of_no_other_workspace(world: World, tmp_path: Path) -> None:
    found = await headgate(world, tmp_path, "retention", "run", "--workspace", "nobody")

    assert found.exit_code != 0
    assert "no workspace nobody" in found.output
