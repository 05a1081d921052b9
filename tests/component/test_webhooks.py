"""Webhooks from the request to the run, on real rows."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from http import HTTPStatus
from uuid import UUID

import pytest

from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import RunPhase
from headgate.engine.call_limits.limits import REFUSED_SECONDS
from headgate.engine.engine import Engine
from tests.builders import a_workflow, container
from tests.component.api_client import Api, Ticking, replica
from tests.component.counted import stopped_clock
from tests.component.replica import Fuse, FusedDatabase, Killed
from tests.component.webhook_client import (
    GITHUB_SECRET,
    OTHER_KEY,
    OTHER_SECRET,
    PAID,
    Sender,
    github,
    hooked,
    runs,
)
from tests.component.world import KEYS, World


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
        with stopped_clock(world.superuser_url):
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
