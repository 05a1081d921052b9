"""What triggers take of a delivery: filters, several triggers of one webhook, and how they are listed."""

from __future__ import annotations

import pytest

from headgate.engine.types import DefinitionError, ExpressionError
from headgate.engine.workflows import MOST_TRIGGERS
from tests.builders import a_workflow
from tests.component.webhook_client import (
    OTHER_KEY,
    OTHER_SECRET,
    Sender,
    a_webhook,
    hooked,
    runs,
)
from tests.component.world import World


class TestAFilter:
    async def test_leaves_out_other_types_of_events(self, world: World, sender: Sender) -> None:
        await world.given(hooked(events=["order.paid"]))

        answer = await sender.send("msg-1", {"type": "order.sent"})
        assert (answer.status_code, answer.json()["outcome"], answer.json()["runs"]) == (202, "filtered", [])
        assert (await sender.accepted("msg-2", {"type": "order.paid"}))["outcome"] == "accepted"

        assert [item["outcome"] for item in await sender.deliveries()] == ["accepted", "filtered"]
        assert len(await runs(world)) == 1

    async def test_may_be_an_expression(self, world: World, sender: Sender) -> None:
        world.expressions.values["trigger.body.n > 1"] = lambda known: known["trigger"]["body"]["n"] > 1
        await world.given(hooked(when="trigger.body.n > 1"))

        assert (await sender.accepted("msg-1", {"n": 1}))["outcome"] == "filtered"
        assert (await sender.accepted("msg-2", {"n": 2}))["outcome"] == "accepted"

    async def test_is_not_asked_again_about_what_it_left_out(self, world: World, sender: Sender) -> None:
        world.expressions.values["false"] = False
        await world.given(hooked(when="false"))
        first = await sender.accepted()
        seen = len(world.expressions.seen)

        again = await sender.send()

        assert (again.status_code, again.json(), len(world.expressions.seen)) == (200, first, seen)

    async def test_that_is_neither_true_nor_false_refuses(self, world: World, sender: Sender) -> None:
        await world.given(hooked(when="when"))
        for value in (ExpressionError("'when': no such key: n"), "yes", 1, None):
            world.expressions.values["when"] = value
            answer = await sender.send(f"msg-{value}".partition(":")[0])
            assert (answer.status_code, answer.json()["reason"]) == (422, "InvalidExpression")
            assert "no such key" not in answer.text

        told = [item["results"][0]["message"] for item in await sender.deliveries()]
        assert told == ["when: it is neither true nor false"] * 3 + ["when: 'when': no such key: n"]


class TestSeveralTriggers:
    async def test_each_take_a_delivery_once(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        await world.given(hooked("other", events=["order.sent"]))
        await world.given(hooked("third"))

        told = await sender.accepted()

        assert len(told["runs"]) == len(await runs(world)) == 2
        [delivery] = await sender.deliveries()
        outcomes = {item["workflow"]: item["outcome"] for item in delivery["results"]}
        assert outcomes == {"nightly": "accepted", "other": "filtered", "third": "accepted"}

    async def test_that_refused_it_are_asked_again_and_no_others(self, world: World, sender: Sender) -> None:
        world.expressions.values["trigger.body.n"] = ExpressionError("no such key: n")
        mapped = hooked("other", inputs={"n": "${{ trigger.body.n }}"}).with_input("n")
        await world.given(hooked())
        await world.given(mapped)
        first = await sender.accepted()
        assert len(first["runs"]) == 1

        world.expressions.values["trigger.body.n"] = 3
        again = await sender.accepted()

        assert set(again["runs"]) > set(first["runs"])
        assert len(again["runs"]) == len(await runs(world)) == 2
        [delivery] = await sender.deliveries()
        assert (delivery["attempts"], {item["outcome"] for item in delivery["results"]}) == (2, {"accepted"})

    async def test_are_each_started_by_what_their_own_secret_signed(self, world: World, sender: Sender) -> None:
        await sender.given_secret(name="bank", current=OTHER_SECRET)
        await world.given(hooked())
        await world.given(hooked("other", secrets=[{"name": "bank", "key": "current"}]))

        ours, theirs = await sender.accepted(), await sender.accepted(key=OTHER_KEY)

        assert len(ours["runs"]) == len(theirs["runs"]) == 1
        assert ours["runs"] != theirs["runs"]
        workflows = await world.rows(
            "SELECT w.name FROM headgate.workflow_executions e JOIN headgate.workflows w"
            " ON w.id = e.workflow_id ORDER BY e.id"
        )
        assert [row["name"] for row in workflows] == ["nightly", "other"]

    async def test_are_ten_at_most(self, world: World) -> None:
        for number in range(MOST_TRIGGERS):
            await world.given(hooked(f"w{number}"))

        with pytest.raises(DefinitionError, match="the webhook orders has 10 triggers already"):
            await world.given(hooked("one-more"))
        await world.given(hooked("one-more", hook="others"))


async def test_a_trigger_is_listed_with_what_takes_its_deliveries(world: World, sender: Sender) -> None:
    await world.given(hooked(events=["order.paid"]))
    await world.given(a_workflow("other").with_trigger("a", a_webhook("builds")).with_trigger("b", a_webhook()))

    first = await sender.api.get("/webhooks", params={"limit": 1})
    second = await sender.api.get("/webhooks", params={"limit": 1, "cursor": first["nextCursor"]})

    assert [item["path"] for page in (first, second) for item in page["items"]] == [
        "/hooks/acme/builds",
        "/hooks/acme/orders",
    ]
    assert [(item["workflow"], item["node"], item["events"]) for item in second["items"][0]["triggers"]] == [
        ("nightly", "paid", ["order.paid"]),
        ("other", "b", []),
    ]
