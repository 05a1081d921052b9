"""Webhooks from the request to the run, on real rows."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest

from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import RunPhase
from headgate.engine.call_limits.limits import REFUSED_SECONDS
from headgate.engine.engine import Engine
from headgate.engine.types import DefinitionError, ExpressionError
from headgate.engine.workflows import MOST_TRIGGERS
from tests.builders import a_workflow, container
from tests.component.api_client import Api, Ticking, replica
from tests.component.replica import Fuse, FusedDatabase, Killed
from tests.component.webhook_client import (
    OTHER_KEY,
    OTHER_SECRET,
    PAID,
    SECRET,
    Sender,
    a_webhook,
    github,
    hooked,
)
from tests.component.world import KEYS, World

GITHUB_SECRET = "It's a Secret to Everybody"


@pytest.fixture
async def sender(api: Api) -> Sender:
    """A sender whose secret the workspace has."""
    made = Sender(api)
    await made.given_secret()
    return made


async def runs(world: World, workspace: str = "acme") -> list[dict[str, Any]]:
    """Every run of a workspace, the oldest first."""
    query = "SELECT * FROM headgate.workflow_executions WHERE workspace_id = %s ORDER BY id"
    return await world.rows(query, world.ids[workspace])


class TestARun:
    async def test_is_started_by_a_delivery_that_is_signed(self, world: World, sender: Sender) -> None:
        await world.given(hooked())

        answer = await sender.send()

        assert answer.status_code == HTTPStatus.ACCEPTED, answer.text
        told = answer.json()
        [run] = (await sender.api.get("/runs"))["items"]
        assert told["runs"] == [run["id"]]
        assert (run["kind"], run["phase"]) == ("webhook", RunPhase.RUNNING)
        [delivery] = await sender.deliveries()
        assert delivery["id"] == told["delivery"]
        assert (delivery["outcome"], delivery["results"][0]["runId"]) == ("accepted", run["id"])
        [(workspace, effects)] = sender.api.heard
        assert (workspace, effects.runs, effects.tasks_queued) == ("acme", frozenset([UUID(run["id"])]), True)

    async def test_is_given_inputs_that_are_made_of_the_body(self, world: World, sender: Sender) -> None:
        world.expressions.values |= {
            "trigger.body.order": lambda known: known["trigger"]["body"]["order"],
            "trigger.event": lambda known: known["trigger"]["event"],
        }
        inputs = {"order": "${{ trigger.body.order }}", "what": "a ${{ trigger.event }}", "fixed": [1, None]}
        flow = hooked(inputs=inputs).with_input("order", required=True).with_input("what").with_input("fixed")
        await world.given(flow)

        await sender.accepted()

        [run] = await runs(world)
        assert run["inputs"] == {"order": PAID["order"], "what": "a order.paid", "fixed": [1, None]}
        assert world.expressions.seen[0]["trigger"].keys() == {"body", "event", "id", "hook"}

    async def test_is_one_however_often_the_delivery_is_sent(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        first = await sender.accepted()
        world.clock.advance(minutes=4)

        again = await sender.send()

        assert (again.status_code, again.json()) == (HTTPStatus.OK, first)
        assert len(await runs(world)) == 1
        [delivery] = await sender.deliveries()
        assert delivery["attempts"] == 1

    async def test_is_one_even_when_the_log_has_forgotten_the_delivery(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        first = await sender.accepted()
        await world.rows("DELETE FROM headgate.webhook_deliveries RETURNING 1")

        assert (await sender.accepted())["runs"] == first["runs"]
        assert len(await runs(world)) == 1

    async def test_is_one_though_fifty_send_it_to_two_replicas_at_once(
        self, world: World, api: Api, sender: Sender, replicas: list[Engine]
    ) -> None:
        await world.given(hooked())
        async with replica(world, replicas[0], api.server, Ticking()) as second:
            senders = [sender, Sender(second)]

            answers = await asyncio.gather(*(senders[number % 2].send() for number in range(50)))

        assert {answer.status_code for answer in answers} <= {HTTPStatus.OK, HTTPStatus.ACCEPTED}
        [run] = await runs(world)
        assert {tuple(answer.json()["runs"]) for answer in answers} == {(str(run["id"]),)}
        assert len(await sender.deliveries()) == 1
        [row] = await world.rows("SELECT octet_length(sealed) AS sealed FROM headgate.webhook_deliveries")
        assert (await world.usage())["storage_bytes"] == row["sealed"]

    async def test_is_one_wherever_the_process_is_killed(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        for number, after in ((1, False), (1, True), (2, False), (2, True)):
            before, fuse = len(await runs(world)), Fuse(at=number, after=after)
            fused = FusedDatabase(world.url, fuse)
            engine = Engine(fused, world.expressions, clock=world.clock, keys=KEYS)
            async with replica(world, engine, sender.api.server, Ticking()) as doomed:
                with suppress(Killed):
                    await Sender(doomed).send(f"msg-{number}-{after}")
            await fused.close()
            assert fuse.writes == number, "two transactions: one finds the workspace, one does all else"

            told = await sender.accepted(f"msg-{number}-{after}")

            assert len(await runs(world)) == before + 1
            assert told["runs"] == [str((await runs(world))[-1]["id"])]
        assert len(await sender.deliveries()) == 4

    async def test_waits_where_there_is_no_room_as_any_run(self, world: World, sender: Sender) -> None:
        await world.given_workspace(suspended=True)
        await world.given(hooked())

        assert (await sender.accepted())["outcome"] == "accepted"
        assert [run["waiting_reason"] for run in await runs(world)] == ["Suspended"]

    async def test_of_an_earlier_month_is_still_the_one(self, world: World, sender: Sender) -> None:
        await world.given(hooked(format="github"))
        await sender.given_secret(current=GITHUB_SECRET)
        body = json.dumps(PAID).encode()
        first = await sender.post(body, github("d-1", "push", body, GITHUB_SECRET))
        world.clock.advance(days=40)
        await world.engine.deliveries.forget_old(world.clock.now)
        assert await sender.deliveries() == []

        again = await sender.post(body, github("d-1", "push", body, GITHUB_SECRET))

        assert again.json()["runs"] == first.json()["runs"]


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


class TestRoom:
    @pytest.fixture(autouse=True)
    async def full(self, world: World, sender: Sender) -> None:
        """A workspace whose plan refuses what it has no room for, and has no room."""
        await world.given_workspace(on_exceeded=OnExceeded.REJECT, max_concurrent_runs=1)
        await world.given(hooked())
        await sender.accepted("msg-0")

    async def test_that_is_missing_is_told_so_that_it_is_sent_again(self, world: World, sender: Sender) -> None:
        answer = await sender.send()
        assert (answer.status_code, answer.json()["reason"]) == (429, "ConcurrencyLimit")
        assert [item["outcome"] for item in await sender.deliveries()] == ["refused", "accepted"]

        await world.succeed((await runs(world))[0]["id"])
        assert (await sender.accepted())["outcome"] == "accepted"

        assert [item["attempts"] for item in await sender.deliveries()] == [2, 1]

    async def test_for_one_alone_is_taken_by_one_of_those_that_come_at_once(self, world: World, sender: Sender) -> None:
        await world.succeed((await runs(world))[0]["id"])

        answers = await asyncio.gather(*(sender.send() for _ in range(20)))

        assert {answer.status_code for answer in answers} <= {HTTPStatus.OK, HTTPStatus.ACCEPTED}
        assert {tuple(answer.json()["runs"]) for answer in answers} == {(str((await runs(world))[-1]["id"]),)}
        assert [item["outcome"] for item in await sender.deliveries()] == ["accepted", "accepted"]

    async def test_until_midnight_is_told_as_well(self, world: World, sender: Sender) -> None:
        await world.given_workspace(on_exceeded=OnExceeded.REJECT, max_executions_per_day=1)

        answer = await sender.send()

        assert (answer.status_code, answer.json()["reason"]) == (429, "DailyLimit")
        assert 0 < int(answer.headers["retry-after"]) <= 12 * 3600


class TestCalls:
    async def test_are_counted_of_what_is_signed_and_of_nothing_else(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        used = await sender.api.calls_used()
        await sender.accepted("msg-1")
        await sender.accepted("msg-1")
        assert (await sender.send("msg-2", key=b"x" * 32)).status_code == 401
        assert (await sender.post(b"{}", {})).status_code == 401
        assert await sender.api.calls_used() == used + 2 + 1

    async def test_that_are_used_up_keep_a_delivery_out_without_a_trace(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        await world.given_workspace(max_api_calls_per_hour=0)
        answer = await sender.send()
        assert (answer.status_code, answer.json()["reason"]) == (429, "ApiCallLimit")
        assert int(answer.headers["Retry-After"]) >= 1
        assert "RateLimit" not in answer.headers
        counted = {"workspace": "acme", "outcome": "limited"}
        assert sender.api.registry.get_sample_value("headgate_webhook_deliveries_total", counted) == 1
        sender.api.ticking.seconds += REFUSED_SECONDS
        await world.given_workspace(max_api_calls_per_hour=10)
        assert await sender.deliveries() == []
        assert await runs(world) == []


class TestSecrets:
    async def test_may_be_several_while_one_takes_the_place_of_the_other(self, world: World, sender: Sender) -> None:
        refs = [{"name": "shop", "key": "current"}, {"name": "shop", "key": "previous"}]
        await world.given(hooked(secrets=refs))
        assert (await sender.send("msg-1", key=OTHER_KEY)).status_code == 401

        await sender.given_secret(current=OTHER_SECRET, previous=SECRET)
        assert (await sender.send("msg-2", key=OTHER_KEY)).status_code == 202
        assert (await sender.send("msg-3")).status_code == 202

        await sender.given_secret(current=OTHER_SECRET)
        assert (await sender.send("msg-4")).status_code == 401

    async def test_that_are_none_sign_nothing_and_the_webhook_says_so(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        for value in ("not whsec_", "whsec_AAAA", "short"):
            await sender.given_secret(current=value)
            assert (await sender.send(key=value.encode())).status_code == 401
            problems = (await sender.api.get("/webhooks/orders"))["problems"]
            assert problems == {"acme/nightly/paid": "current of credential shop is no secret in the format standard"}

    async def test_that_are_not_there_are_named(self, world: World, sender: Sender) -> None:
        await world.given(hooked(secrets=[{"name": "gone", "key": "current"}, {"name": "shop", "key": "gone"}]))

        assert (await sender.send()).status_code == 401
        [problem] = (await sender.api.get("/webhooks/orders"))["problems"].values()
        assert problem.startswith("there is no current of credential gone, or it cannot be decrypted; there is no gone")

    async def test_can_be_sealed_anew_at_any_time(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        await world.engine.credentials.rotate_data_key(world.ids["acme"])

        assert (await sender.send()).status_code == 202


class TestGithub:
    BODY = json.dumps({"ref": "refs/heads/main"}).encode()

    @pytest.fixture(autouse=True)
    async def given(self, world: World, sender: Sender) -> None:
        await sender.given_secret(current=GITHUB_SECRET)
        await world.given(hooked(format="github", events=["push"]))

    async def test_starts_a_run_once_for_each_delivery_id(self, world: World, sender: Sender) -> None:
        headers = github("72d3162e", "push", self.BODY, GITHUB_SECRET)

        answers = [await sender.post(self.BODY, headers) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [202, 200]
        assert answers[0].json() == answers[1].json()
        [delivery] = await sender.deliveries()
        assert (delivery["event"], delivery["messageId"], delivery["format"]) == ("push", "72d3162e", "github")

    async def test_leaves_out_the_ping_and_other_events(self, sender: Sender) -> None:
        answer = await sender.post(self.BODY, github("1", "ping", self.BODY, GITHUB_SECRET))

        assert answer.json()["outcome"] == "filtered"

    async def test_is_no_other_format(self, sender: Sender) -> None:
        assert (await sender.send(key=GITHUB_SECRET.encode())).status_code == 401


async def test_what_is_no_webhook_any_more_takes_nothing(world: World, sender: Sender) -> None:
    await world.given(hooked())
    await sender.accepted("msg-1")

    await world.given(a_workflow().with_node("work", container()))
    assert (await sender.send("msg-2")).status_code == 401

    await world.given(hooked())
    await sender.accepted("msg-3")
    await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")
    assert (await sender.send("msg-4")).status_code == 401


async def test_another_tenant_has_webhooks_and_deliveries_of_its_own(world: World, sender: Sender) -> None:
    await world.given_workspace("other")
    await sender.given_secret("other", current=OTHER_SECRET)
    for workspace in ("acme", "other"):
        await world.given(hooked(), workspace)

    await sender.accepted()
    assert (await sender.send(path="/hooks/other/orders")).status_code == 401
    await sender.accepted(key=OTHER_KEY, path="/hooks/other/orders")

    assert [len(await runs(world, name)) for name in ("acme", "other")] == [1, 1]
    assert len(await sender.deliveries()) == 1


async def test_a_replay_of_a_run_keeps_its_inputs(world: World, sender: Sender) -> None:
    await world.given(hooked(inputs={"day": "monday"}).with_input("day"))
    [run] = (await sender.accepted())["runs"]

    await sender.api.start("nightly", replayOf=run)

    assert [row["inputs"] for row in await runs(world)] == [{"day": "monday"}] * 2


async def test_deliveries_are_counted_by_what_became_of_them(world: World, sender: Sender) -> None:
    await world.given(hooked(events=["order.paid"]))
    await sender.send("msg-1")
    await sender.send("msg-1")
    await sender.send("msg-2", {"type": "x"})
    await sender.send("msg-3", key=OTHER_KEY)
    await sender.send("msg-4", path="/hooks/acme/not-there")
    await sender.post(b"{}", {})

    counted = {
        (sample.labels["workspace"], sample.labels["outcome"]): sample.value
        for metric in sender.api.registry.collect()
        for sample in metric.samples
        if sample.name == "headgate_webhook_deliveries_total"
    }
    assert counted == {
        ("acme", "accepted"): 1,
        ("acme", "repeated"): 1,
        ("acme", "filtered"): 1,
        ("acme", "unsigned"): 1,
        ("", "unsigned"): 1,
        ("", "malformed"): 1,
    }


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
