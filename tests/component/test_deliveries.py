"""The log of deliveries: what it shows, what it hides, what it makes again, and when it forgets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from headgate.api.members import Role
from headgate.api.quota import Limits
from headgate.api.retention import Retention
from headgate.domain.envelope import DeliveryPlace
from headgate.domain.ids import uuid7
from headgate.engine.types import WorkspaceRecord
from headgate.engine.webhooks import deliveries
from headgate.store import deliveries as store
from tests.builders import a_workflow
from tests.component.webhook_client import PAID, Sender, hooked
from tests.component.world import KEYS, NOON, World
from tests.support.waiting import eventually

SECRETS_OF_BODIES = "a present"


@pytest.fixture
async def sender(world: World, sender: Sender) -> Sender:
    """With a workflow that it starts."""
    await world.given(hooked())
    return sender


async def stored(world: World) -> list[dict[str, Any]]:
    """Every row of the log, the oldest first."""
    return await world.rows("SELECT * FROM headgate.webhook_deliveries ORDER BY id")


class TestShowing:
    async def test_is_page_by_page_the_newest_first(self, sender: Sender) -> None:
        for number in range(5):
            await sender.accepted(f"msg-{number}")

        first = await sender.api.get("/deliveries", params={"limit": 3})
        second = await sender.api.get("/deliveries", params={"limit": 3, "cursor": first["nextCursor"]})

        shown = [item["messageId"] for page in (first, second) for item in page["items"]]
        assert shown == [f"msg-{number}" for number in range(4, -1, -1)]
        assert second["nextCursor"] is None

    async def test_may_be_of_one_webhook(self, world: World, sender: Sender) -> None:
        await world.given(hooked("other", hook="builds"))
        await sender.accepted("msg-1")
        await sender.accepted("msg-2", path="/hooks/acme/builds")

        found = await sender.api.get("/deliveries", params={"hook": "builds"})

        assert [(item["hook"], item["messageId"]) for item in found["items"]] == [("builds", "msg-2")]

    async def test_is_of_what_came_and_of_no_proof(self, sender: Sender) -> None:
        told = await sender.accepted(headers={"Cookie": "c", "User-Agent": "shop/1", "Authorization": "Bearer x"})

        delivery = await sender.api.get(f"/deliveries/{told['delivery']}")

        assert delivery["headers"] == {
            "content-type": "application/json",
            "user-agent": "shop/1",
            "webhook-id": "msg-1",
            "webhook-timestamp": str(sender.now),
        }
        assert (delivery["event"], delivery["bodyBytes"], delivery["kept"]) == (
            "order.paid",
            len(json.dumps(PAID)),
            True,
        )
        assert delivery["redeliveryOf"] is None

    async def test_begins_at_no_cursor_that_is_none(self, sender: Sender) -> None:
        for cursor in ("x!", "\x00", "019!"):
            for path in ("/deliveries", "/webhooks"):
                assert (await sender.api.call("GET", path, params={"cursor": cursor})).status_code == 422

    async def test_of_what_is_not_there_is_a_404(self, world: World, sender: Sender) -> None:
        await world.given_workspace("other")
        told = await sender.accepted()
        key = (await sender.api.issue("other")).text

        for path in (f"/deliveries/{uuid4()}", f"/deliveries/{told['delivery']}"):
            answer = await sender.api.call("GET", path, token=key, workspace="other")
            assert answer.status_code == 404
            answer = await sender.api.call("POST", f"{path}/redeliver", token=key, workspace="other")
            assert answer.status_code == 404
        assert (await sender.api.call("GET", "/webhooks/none")).status_code == 404


class TestBodies:
    async def test_lie_encrypted_and_are_shown_nowhere(self, world: World, sender: Sender) -> None:
        told = await sender.accepted()

        for path in ("/deliveries", f"/deliveries/{told['delivery']}", "/webhooks", "/webhooks/orders"):
            assert SECRETS_OF_BODIES not in json.dumps(await sender.api.get(path))
        for table in ("webhook_deliveries", "workflow_executions", "execution_triggers"):
            rows = await world.rows(f"SELECT * FROM headgate.{table}")
            assert rows
            assert SECRETS_OF_BODIES not in repr(rows)

    async def test_cannot_be_moved_to_another_delivery(self, world: World, sender: Sender) -> None:
        moved, kept = [(await sender.accepted(f"msg-{number}"))["delivery"] for number in range(2)]
        await world.rows(
            "UPDATE headgate.webhook_deliveries SET sealed = (SELECT sealed FROM headgate.webhook_deliveries"
            " WHERE id = %s) WHERE id = %s RETURNING 1",
            kept,
            moved,
        )

        answer = await sender.api.call("POST", f"/deliveries/{moved}/redeliver")

        assert (answer.status_code, answer.json()["reason"]) == (409, "NotKept")
        assert (await sender.api.call("POST", f"/deliveries/{kept}/redeliver")).status_code == 201

    async def test_can_be_read_after_the_data_key_was_changed(self, world: World, sender: Sender) -> None:
        told = await sender.accepted()

        await world.engine.credentials.rotate_data_key(world.ids["acme"])

        assert len(await world.rows("SELECT 1 AS one FROM headgate.data_keys")) == 2
        await sender.api.post(f"/deliveries/{told['delivery']}/redeliver", status=201)

    async def test_let_their_old_key_go_when_they_are_forgotten(self, world: World, sender: Sender) -> None:
        await sender.accepted()
        await world.engine.credentials.rotate_data_key(world.ids["acme"])
        world.clock.advance(days=31)
        await world.engine.deliveries.forget_old(world.clock.now)

        await world.engine.credentials.rotate_data_key(world.ids["acme"])

        assert len(await world.rows("SELECT 1 AS one FROM headgate.data_keys")) == 1

    async def test_of_a_workspace_that_is_gone_can_be_read_by_nobody(self, world: World, sender: Sender) -> None:
        await sender.accepted()

        await world.engine.workspaces.retire("acme")

        assert len(await stored(world)) == 1
        assert await world.rows("SELECT 1 AS one FROM headgate.data_keys") == []

    async def test_are_not_kept_where_the_plan_has_no_room_for_them(self, world: World, sender: Sender) -> None:
        await world.given_workspace(max_storage_mb=0)

        told = await sender.accepted()

        assert told["outcome"] == "accepted"
        [row] = await stored(world)
        assert row["sealed"] is None
        assert (await world.usage())["storage_bytes"] == 0


class TestRedelivery:
    async def test_makes_a_run_of_its_own_each_time(self, world: World, sender: Sender) -> None:
        told = await sender.accepted()
        world.clock.advance(days=7)

        made = [
            await sender.api.post(f"/deliveries/{told['delivery']}/redeliver", status=201),
            await sender.api.post(f"/deliveries/{told['delivery']}/redeliver", status=201),
        ]

        assert len({told["runs"][0], *(item["results"][0]["runId"] for item in made)}) == 3
        for item in made:
            assert (item["redeliveryOf"], item["outcome"], item["messageId"]) == (
                told["delivery"],
                "accepted",
                "msg-1",
            )
            assert item["requestedBy"].startswith("apikey:")
        assert len(await sender.deliveries()) == 3
        assert [workspace for workspace, effects in sender.api.heard if effects.runs] == ["acme"] * 3

    async def test_of_a_redelivery_is_linked_to_the_first(self, sender: Sender) -> None:
        told = await sender.accepted()
        again = await sender.api.post(f"/deliveries/{told['delivery']}/redeliver", status=201)

        third = await sender.api.post(f"/deliveries/{again['id']}/redeliver", status=201)

        assert third["redeliveryOf"] == told["delivery"]

    async def test_is_to_the_triggers_that_there_are_now(self, world: World, sender: Sender) -> None:
        world.expressions.values["trigger.body.order.id"] = lambda known: known["trigger"]["body"]["order"]["id"]
        told = await sender.accepted()
        await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")
        await world.given(hooked("mended", inputs={"id": "${{ trigger.body.order.id }}"}).with_input("id"))

        world.clock.advance(seconds=1)
        again = await sender.api.post(f"/deliveries/{told['delivery']}/redeliver", status=201)

        assert [item["workflow"] for item in again["results"]] == ["mended"]
        [row] = await world.rows("SELECT inputs FROM headgate.workflow_executions ORDER BY id DESC LIMIT 1")
        assert row["inputs"] == {"id": 7}

    async def test_of_what_was_refused_takes_it_once_it_is_mended(self, world: World, sender: Sender) -> None:
        await world.given(
            hooked()
            .with_input("id", schema={"type": "integer"})
            .with_value("spec.nodes.1.config.webhook.inputs", {"id": "seven"})
        )
        assert (await sender.send()).json()["reason"] == "InvalidInputs"
        [refused] = await sender.deliveries()
        assert "input 'id'" in refused["results"][0]["message"]
        await world.given(hooked())

        again = await sender.api.post(f"/deliveries/{refused['id']}/redeliver", status=201)

        assert again["outcome"] == "accepted"

    async def test_where_nothing_listens_any_more_is_refused(self, world: World, sender: Sender) -> None:
        told = await sender.accepted()
        await world.given(a_workflow().with_node("work"))

        answer = await sender.api.call("POST", f"/deliveries/{told['delivery']}/redeliver")

        assert answer.status_code == 409
        assert "takes deliveries of orders any more" in answer.json()["detail"]

    async def test_is_not_for_who_only_looks(self, sender: Sender) -> None:
        told = await sender.accepted()
        viewer, editor = [(await sender.api.issue(role=role)).text for role in (Role.VIEWER, Role.EDITOR)]

        path = f"/deliveries/{told['delivery']}"
        assert (await sender.api.call("GET", path, token=viewer)).status_code == 200
        assert (await sender.api.call("POST", f"{path}/redeliver", token=viewer)).status_code == 403
        assert (await sender.api.call("POST", f"{path}/redeliver", token=editor)).status_code == 201

    async def test_does_not_count_as_the_sender_sending_again(self, world: World, sender: Sender) -> None:
        told = await sender.accepted()
        await sender.api.post(f"/deliveries/{told['delivery']}/redeliver", status=201)

        again = await sender.send()

        assert (again.status_code, again.json()) == (200, told)


class TestForgetting:
    async def test_is_after_as_many_days_as_the_workspace_says(self, world: World, sender: Sender) -> None:
        record = WorkspaceRecord("acme", Limits(), suspended=False, retention=Retention(webhook_days=3))
        await world.engine.workspaces.sync(record)
        await sender.accepted("old")
        world.clock.advance(days=2)
        await sender.accepted("new")

        world.clock.advance(hours=23)
        assert await world.engine.deliveries.forget_old(world.clock.now) == (0, False)
        world.clock.advance(hours=2)
        assert await world.engine.deliveries.forget_old(world.clock.now) == (1, False)

        assert [row["message_id"] for row in await stored(world)] == ["new"]
        assert (await world.usage())["storage_bytes"] == len((await stored(world))[0]["sealed"])

    async def test_is_a_bounded_number_at_a_time(
        self, world: World, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(deliveries, "BATCH", 2)
        monkeypatch.setattr(deliveries, "_BATCHES", 2)
        for number in range(5):
            await sender.accepted(f"msg-{number}")
        world.clock.advance(days=31)

        assert await world.engine.deliveries.forget_old(world.clock.now) == (4, True)
        assert await world.engine.deliveries.forget_old(world.clock.now) == (1, False)
        assert (await world.usage())["storage_bytes"] == 0

    async def test_goes_on_where_a_workspace_is_gone(self, world: World, sender: Sender) -> None:
        await sender.accepted()
        await world.engine.workspaces.retire("acme")
        world.clock.advance(days=31)

        assert await world.engine.deliveries.forget_old(world.clock.now) == (1, False)

    async def test_leaves_runs_alone(self, world: World, sender: Sender) -> None:
        [run] = (await sender.accepted())["runs"]
        world.clock.advance(days=31)
        await world.engine.deliveries.forget_old(world.clock.now)

        assert (await world.view(UUID(run))).run_id == UUID(run)


async def test_what_it_costs_in_messages_to_postgres(world: World, sender: Sender, sent: list[str]) -> None:
    told = await sender.accepted("msg-0")
    path = f"/deliveries/{told['delivery']}"
    await sender.api.get("/deliveries")
    uses: dict[str, Callable[[], Awaitable[Any]]] = {
        "first": lambda: sender.send("msg-1"),
        "again": lambda: sender.send("msg-0"),
        "unsigned": lambda: sender.send("msg-1", key=b"x" * 32),
        "list": lambda: sender.api.get("/deliveries"),
        "get": lambda: sender.api.get(path),
        "list webhooks": lambda: sender.api.get("/webhooks"),
        "get a webhook": lambda: sender.api.get("/webhooks/orders"),
        "redeliver": lambda: sender.api.post(f"{path}/redeliver", status=201),
    }
    costs: dict[str, int] = {}
    for what, use in uses.items():
        sent.clear()
        await use()
        costs[what] = len(sent)

    # Two that are sent together count a call. Of those of a sender three find the workspace, and three tell whether it
    # is signed.
    # Making a delivery again is an entry of the audit log.
    assert costs == {
        "first": 3 + 3 + 2 + 7,
        "again": 3 + 3 + 2 + 4,
        "unsigned": 3 + 3,
        "list": 2 + 3,
        "get": 2 + 3,
        "list webhooks": 2 + 3,
        "get a webhook": 2 + 4,
        "redeliver": 2 + 7 + 1 + 3,
    }


async def test_a_data_key_is_not_deleted_under_a_delivery_that_is_under_way(world: World, sender: Sender) -> None:
    acme = world.ids["acme"]

    async def waits() -> bool:
        return bool(await world.rows("SELECT 1 AS one FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))

    async with world.database.tenant(acme, share=acme) as tx:
        place = DeliveryPlace(acme, "orders", "standard", "msg-1")
        before = await store.before(tx, place)
        assert before.key is not None
        rotating = asyncio.create_task(world.engine.credentials.rotate_data_key(acme))
        await eventually(waits, every=0.01, what="that the rotation waits")
        sealed = KEYS.unwrap(before.key).seal_body(place, b"{}", bytes(12))
        new = store.NewDelivery(uuid7(NOON, bytes(10)), place, "", NOON, {}, "", "", {}, 2, sealed)
        await store.put(tx, new)
    await rotating

    [row] = await stored(world)
    assert row["data_key_id"] in {key["id"] for key in await world.rows("SELECT id FROM headgate.data_keys")}
