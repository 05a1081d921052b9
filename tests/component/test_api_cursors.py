"""How far copies have come, as somebody sees it over the API, and has one begin anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from headgate.domain.sync import CursorName, Reached
from headgate.engine.sync.types import CursorHeld
from headgate.engine.types import LeaseLost
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.commands import Shell
from tests.component.ledger import Ledger
from tests.component.streaming import serving
from tests.component.test_sync_cursors import BEGINNING, FURTHER, LEASE, claimed, ended, held, sync
from tests.component.world import World
from tests.support.waiting import eventually

COPY = "/cursors/acme/nightly/copy"


async def copying(world: World) -> None:
    """A copy that came to its seventh row in one batch, and goes on."""
    ref = await held(world)
    await world.engine.cursors.take(ref, "pod-1")
    await world.engine.cursors.move(ref, "pod-1", Reached("[7]"), 7)


async def copied(world: World) -> None:
    """A copy that came to its seventh row in one batch, and ended."""
    ref = await held(world)
    await world.engine.cursors.take(ref, "pod-1")
    await world.engine.cursors.move(ref, "pod-1", Reached("[7]", "[9]"), 7)
    await ended(world, ref)


async def test_a_cursor_tells_where_its_copy_stands_and_a_list_only_how_far(world: World, api: Api) -> None:
    await copied(world)
    [run] = await world.rows("SELECT id FROM headgate.workflow_executions")

    found = await api.get(COPY)
    [item] = (await api.get("/cursors"))["items"]

    assert (found.pop("reached"), found.pop("pending")) == ("[7]", "[9]")
    assert found == item == {
        "namespace": "acme",
        "workflow": "nightly",
        "node": "copy",
        "batches": 1,
        "records": 7,
        "runId": str(run["id"]),
        "attempt": 1,
        "held": False,
        "updatedAt": found["updatedAt"],
    }  # fmt: skip


async def test_lists_go_by_names_page_by_page(world: World, api: Api) -> None:
    for workflow in ("zebra", "apple"):
        world.expressions.values["[1, 2]"] = [1, 2]
        await world.given(a_workflow(workflow).with_node("copy", sync(), forEach={"items": "[1, 2]"}))
        run = await world.admit(workflow)
        for _ in range(2):
            await world.engine.cursors.take(await claimed(world, run), "pod-1")

    seen, cursor = [], None
    while True:
        page = await api.get("/cursors", params={"limit": 1} | ({"cursor": cursor} if cursor else {}))
        seen += [(item["workflow"], item["node"]) for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert seen == [("apple", "copy.0"), ("apple", "copy.1"), ("zebra", "copy.0"), ("zebra", "copy.1")]
    assert (await api.get("/cursors/acme/zebra/copy.1"))["node"] == "copy.1"


@pytest.mark.parametrize("cursor", ["x", "a/b", "a/b/", "A/b/c", "a/b/c d", "a/b/" + "c" * 81])
async def test_what_no_list_gave_is_no_beginning_of_one(api: Api, cursor: str) -> None:
    answer = await api.call("GET", "/cursors", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["detail"]) == (422, "the cursor is not one that a list gave")


async def test_after_a_reset_the_next_copy_begins_anew_and_who_did_it_is_recorded(world: World, api: Api) -> None:
    await copied(world)
    ledger = Ledger(world)

    answers = [await api.call("DELETE", COPY) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 404]
    assert answers[0].json()["reached"] == "[7]"
    assert await world.engine.cursors.take(await held(world), "pod-1") == BEGINNING
    me = (await api.get(""))["caller"]["subject"]
    assert await ledger.told() == [("cursor.reset", me, "cursor/acme/nightly/copy")]
    assert await ledger.detail() == {"batches": 1, "records": 7}


async def test_while_an_attempt_copies_it_is_not_reset_and_no_longer(world: World, api: Api) -> None:
    await copying(world)
    [row] = await world.rows("SELECT execution_id AS run FROM headgate.tasks")

    refused = await api.call("DELETE", COPY)

    assert (refused.status_code, refused.json()["reason"]) == (409, "CursorHeld")
    assert refused.json()["detail"] == (
        f"attempt 1 of node copy in run {row['run']} copies right now: wait for its end, or cancel that run"
    )
    assert (await api.get(COPY))["held"] is True
    world.clock.advance(seconds=LEASE.total_seconds())
    assert (await api.get(COPY))["held"] is False
    assert (await api.call("DELETE", COPY)).status_code == 200


async def test_an_attempt_whose_lease_ran_out_before_a_reset_moves_nothing_after_it(world: World, api: Api) -> None:
    ref = await held(world)
    await world.engine.cursors.take(ref, "pod-1")
    world.clock.advance(seconds=LEASE.total_seconds())
    assert (await api.call("DELETE", COPY)).status_code == 200
    await world.engine.runner_tasks.heartbeat(ref, "pod-1", LEASE)

    with pytest.raises(LeaseLost):
        await world.engine.cursors.move(ref, "pod-1", FURTHER, 1)
    assert await world.engine.cursors.take(ref, "pod-1") == BEGINNING


async def test_an_attempt_that_begins_while_a_reset_waits_for_it_is_seen(world: World) -> None:
    await copied(world)
    name = CursorName("acme", "nightly", "copy")
    async with await psycopg.AsyncConnection.connect(world.superuser_url) as taking:
        await taking.execute("SELECT FROM headgate.sync_cursors FOR UPDATE")
        reset = asyncio.create_task(world.engine.cursors.reset(world.ids["acme"], name))
        await eventually(lambda: waits_for_a_lock(world), every=0.01)
        ref = await held(world)
        await taking.execute("UPDATE headgate.sync_cursors SET run_id = %s, attempt = 1", [ref.run_id])
        await taking.commit()

        with pytest.raises(CursorHeld):
            await reset


async def waits_for_a_lock(world: World) -> bool:
    [row] = await world.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return bool(row["count"])


class TestCommands:
    @pytest.fixture
    async def shell(self, api: Api, tmp_path: Path) -> AsyncIterator[Shell]:
        async with serving(api) as url:
            yield Shell(url, (await api.issue()).text, tmp_path)

    async def test_cursors_are_listed_shown_and_reset(self, world: World, shell: Shell) -> None:
        await copied(world)

        listed = await shell("cursor", "list")
        shown = await shell("cursor", "get", "nightly", "copy")
        told: dict[str, Any] = json.loads((await shell("cursor", "get", "acme/nightly", "copy", "-o", "json")).out)
        reset = await shell("cursor", "reset", "nightly", "copy")
        gone = await shell("cursor", "get", "nightly", "copy")

        assert listed.out.splitlines()[1].split()[:5] == ["acme", "nightly", "copy", "1", "7"]
        assert shown.out.splitlines()[:3] == [
            "acme/nightly copy: 1 batches, 7 records",
            "reached: [7]",
            "being written: up to [9]",
        ]
        assert told["reached"] == "[7]"
        assert (reset.code, reset.out) == (0, "acme/nightly copy begins anew; it stood at [7]\n")
        assert (gone.code, gone.err) == (2, "headgate: no copy of such a node has begun\n")

    async def test_a_copy_under_way_is_a_no(self, world: World, shell: Shell) -> None:
        await copying(world)

        said = await shell("cursor", "reset", "nightly", "copy")

        assert said.code == 1
        assert "copies right now" in said.err
