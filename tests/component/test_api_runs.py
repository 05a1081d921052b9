"""Runs through the API: started, listed, looked at."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.api.quota import OnExceeded
from headgate.engine.engine import Engine
from tests.component.api_client import Api, Ticking, replica
from tests.component.world import World, one_node


async def listed(api: Api, **query: Any) -> list[str]:
    """The ids on all pages."""
    found: list[str] = []
    while True:
        page = await api.get("/runs", params=query)
        found += [run["id"] for run in page["items"]]
        if page["nextCursor"] is None:
            return found
        query["cursor"] = page["nextCursor"]


class TestStarting:
    async def test_a_run_is_started_listed_looked_at_and_cancelled(self, world: World, api: Api) -> None:
        await world.given(one_node())

        answer = await api.call("POST", "/runs", {"workflow": "nightly"})
        run = answer.json()
        assert answer.status_code == 201
        assert answer.headers["location"] == f"/api/v1/workspaces/acme/runs/{run['id']}"
        assert (run["namespace"], run["workflow"], run["version"], run["phase"]) == ("acme", "nightly", 1, "Running")
        assert [(node["id"], node["phase"]) for node in run["nodes"]] == [("work", "Queued")]

        [item] = (await api.get("/runs"))["items"]
        assert (item["id"], item["kind"], item["phase"]) == (run["id"], "api", "Running")
        assert await api.get(f"/runs/{run['id']}") == run

        ended = await api.post(f"/runs/{run['id']}/cancel", {"reason": "wrong day"})
        assert ended["phase"] == "Cancelled"
        assert ended["errorMessage"].startswith("cancelled by apikey:")
        assert ended["errorMessage"].endswith(": wrong day")

    async def test_whoever_hears_of_effects_is_told_of_all(self, world: World, api: Api) -> None:
        await world.given(one_node())
        run = UUID((await api.start())["id"])
        await api.post(f"/runs/{run}/cancel")

        assert {workspace for workspace, _ in api.heard} == {"acme"}
        assert [effects.tasks_queued for _, effects in api.heard] == [True, False]
        assert [ended.run_id for _, effects in api.heard for ended in effects.finished] == [run]

    async def test_it_takes_inputs_a_version_a_priority_and_an_earlier_run(self, world: World, api: Api) -> None:
        world.expressions.values["inputs.to"] = lambda known: known["inputs"]["to"]
        workflow = one_node(config={"container": {"image": "x", "args": ["${{ inputs.to }}"]}}).with_input("to")
        await world.given(workflow)
        await world.given(workflow.with_spec(displayName="Again"))

        first = await api.start(inputs={"to": "ann"}, version=1, priority=7)
        again = await api.start(replayOf=first["id"])

        assert (first["version"], first["priority"]) == (1, 7)
        assert (again["version"], again["priority"]) == (1, 0)
        assert [task.container.args for task in await world.claim()] == [("ann",), ("ann",)]

    @pytest.mark.parametrize(
        ("body", "status", "reason", "says"),
        [
            ({"workflow": "other"}, 404, "WorkflowNotFound", "no accepted workflow 'other'"),
            ({"workflow": "nightly", "namespace": "else"}, 404, "WorkflowNotFound", "no accepted workflow"),
            ({"workflow": "nightly", "version": 9}, 422, "UnknownVersion", "the newest is 1"),
            ({"workflow": "nightly", "inputs": {"x": 1}}, 422, "InvalidInputs", "no input 'x'"),
            ({"workflow": "nightly", "trigger": "hourly"}, 422, "InvalidTrigger", "is not a manual one"),
            ({"workflow": "nightly", "replayOf": str(UUID(int=1))}, 422, "UnknownRun", "has no run"),
        ],
    )
    async def test_what_cannot_run_is_refused_with_what_to_change(
        self, world: World, api: Api, body: Any, status: int, reason: str, says: str
    ) -> None:
        await world.given(one_node().with_schedule("hourly", "0 * * * *"))

        problem = await api.post("/runs", body, status=status)

        assert problem["reason"] == reason
        assert says in problem["detail"]
        assert (await api.get("/runs"))["items"] == []

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"workflow": ""},
            {"workflow": "Nightly"},
            {"workflow": "a\u0000b"},
            {"workflow": "nightly", "version": 0},
            {"workflow": "nightly", "version": 2**31},
            {"workflow": "nightly", "priority": 101},
            {"workflow": "nightly", "inputs": {"two words": 1}},
            {"workflow": "nightly", "inputs": []},
            {"workflow": "nightly", "replayOf": "x"},
            {"workflow": "nightly", "wait": True},
            [],
            "x",
        ],
    )
    async def test_what_is_not_in_the_form_is_refused(self, world: World, api: Api, body: Any) -> None:
        await world.given(one_node())

        assert "body" in (await api.post("/runs", body, status=422))["detail"]

    async def test_inputs_that_postgres_cannot_keep_are_refused(self, world: World, api: Api) -> None:
        await world.given(one_node().with_input("x"))

        for value in ("a\u0000b", "x" * 70_000):
            problem = await api.post("/runs", {"workflow": "nightly", "inputs": {"x": value}}, status=422)
            assert problem["reason"] == "InvalidInputs"
        half = r'{"workflow": "nightly", "\ud800": 1}'
        for raw in ('{"workflow": "nightly", "inputs": {"x": NaN}}', '{"workflow": ', "[" * 60_000, half):
            answer = await api.call("POST", "/runs", content=raw, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 422), answer.text

    async def test_a_request_that_is_too_large_is_not_read(self, api: Api) -> None:
        problem = await api.post("/runs", {"workflow": "nightly", "inputs": {"x": "x" * 262_144}}, status=413)

        assert "262144 bytes" in problem["detail"]

    @pytest.mark.parametrize("token", [None, "", "x"])
    async def test_one_that_is_nested_too_deep_is_not_parsed_whoever_sends_it(
        self, api: Api, token: str | None
    ) -> None:
        for body in (b"[" * 1001, b'{"a":' * 10_000 + b"1", '{"workflow": 1}'.encode("utf-16")):
            headers = {"Content-Type": "application/json"}
            answer = await api.call("POST", "/runs", content=body, headers=headers, token=token)
            assert (answer.status_code, "1000 levels" in answer.json()["detail"]) == (400, True)

    async def test_a_plan_without_room_that_rejects_says_when_to_try_again(self, world: World, api: Api) -> None:
        await world.given_workspace(on_exceeded=OnExceeded.REJECT, max_executions_per_day=1)
        await world.given(one_node())
        await api.start()

        answer = await api.call("POST", "/runs", {"workflow": "nightly"})

        assert (answer.status_code, answer.json()["reason"]) == (429, "DailyLimit")
        assert 12 * 3600 - 60 < int(answer.headers["retry-after"]) <= 12 * 3600

    async def test_a_plan_without_room_that_queues_tells_what_the_run_waits_for(self, world: World, api: Api) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        await api.start()

        run = await api.start()

        assert run["phase"] == "Pending"
        assert [item["reason"] for item in run["waitingFor"]] == ["ConcurrencyLimit"]


class TestIdempotency:
    async def test_the_same_key_gives_the_same_run(self, world: World, api: Api) -> None:
        await world.given(one_node())
        body, headers = {"workflow": "nightly"}, {"Idempotency-Key": "order-17"}

        first = await api.call("POST", "/runs", body, headers=headers)
        again = await api.call("POST", "/runs", body, headers=headers)
        other = await api.call("POST", "/runs", body, headers={"Idempotency-Key": "order-18"})

        assert [answer.status_code for answer in (first, again, other)] == [201, 200, 201]
        assert first.json()["id"] == again.json()["id"] != other.json()["id"]

    async def test_it_does_so_on_two_replicas_at_once(self, world: World, api: Api, replicas: list[Engine]) -> None:
        await world.given(one_node())
        token = (await api.issue()).text
        async with replica(world, replicas[0], api.server, Ticking()) as second:
            answers = await asyncio.gather(
                *(
                    one.call("POST", "/runs", {"workflow": "nightly"}, headers={"Idempotency-Key": "x"}, token=token)
                    for one in (api, second) * 4
                )
            )

        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(await listed(api)) == 1

    async def test_a_key_that_made_a_run_of_another_workflow_is_refused(self, world: World, api: Api) -> None:
        await world.given(one_node())
        await world.given(one_node("weekly"))
        headers = {"Idempotency-Key": "order-17"}
        await api.call("POST", "/runs", {"workflow": "nightly"}, headers=headers)

        problem = await api.post("/runs", {"workflow": "weekly"}, headers=headers, status=422)

        assert (problem["reason"], "take a new one" in problem["detail"]) == ("IdempotencyKeyUsed", True)
        assert len(await listed(api)) == 1

    async def test_it_reaches_no_run_of_a_workflowrun_or_of_another_workspace(self, world: World, api: Api) -> None:
        await world.given(one_node())
        theirs = await world.admit(key="resource:1")

        run = await api.post("/runs", {"workflow": "nightly"}, headers={"Idempotency-Key": "resource:1"}, status=201)

        assert run["id"] != str(theirs)

    @pytest.mark.parametrize("key", ["", "two words", "x" * 201])
    async def test_a_key_is_short_and_visible(self, world: World, api: Api, key: str) -> None:
        await world.given(one_node())

        await api.post("/runs", {"workflow": "nightly"}, headers={"Idempotency-Key": key}, status=422)


class TestListing:
    async def test_runs_are_listed_newest_first_over_pages(self, world: World, api: Api) -> None:
        await world.given(one_node())
        made = [(await api.start())["id"] for _ in range(5)]

        assert await listed(api, limit=2) == made[::-1]

    async def test_they_are_listed_by_status_workflow_and_time(self, world: World, api: Api) -> None:
        await world.given(one_node())
        await world.given(one_node("weekly"))
        done, failed = await world.admit(), await world.admit()
        noon = world.clock.advance(hours=1)
        weekly, late = await world.admit("weekly"), await world.admit()
        await world.succeed(done)
        await world.fail(failed)

        async def ids(**query: Any) -> list[UUID]:
            one_by_one, at_once = await listed(api, limit=1, **query), await listed(api, limit=50, **query)
            assert one_by_one == at_once
            return [UUID(run) for run in at_once]

        assert await ids(status=["Succeeded", "Failed"]) == [failed, done]
        assert await ids(workflow="weekly") == [weekly]
        assert await ids(workflow="weekly", namespace="else") == []
        assert await ids(since=noon.isoformat()) == [late, weekly]
        assert await ids(until=noon.isoformat(), workflow="nightly", status="Failed") == [failed]
        assert await ids(since=noon.isoformat(), until=(noon + timedelta(milliseconds=2)).isoformat()) == [weekly]

    @pytest.mark.parametrize(
        "query",
        [
            {"cursor": "x"},
            {"cursor": "019aaf00-0000-4000-8000-000000000000"},
            {"limit": 0},
            {"limit": 501},
            {"status": "Done"},
            {"since": "yesterday"},
            {"since": "2026"},
            {"since": "2026-03-10T12:00:00"},
            {"workflow": "a\x00"},
            {"state": "Failed"},
        ],
    )
    async def test_a_filter_that_means_nothing_is_refused(self, api: Api, query: dict[str, Any]) -> None:
        assert (await api.call("GET", "/runs", params=query)).status_code == 422

    @pytest.mark.parametrize("run", [UUID(int=0), UUID("019aaf00-0000-4000-8000-000000000000"), UUID(int=2**128 - 1)])
    async def test_a_run_that_is_not_there_is_not_found(self, api: Api, run: UUID) -> None:
        for path in ("", "/cancel", "/suspend", "/resume", "/retry"):
            answer = await api.call("POST" if path else "GET", f"/runs/{run}{path}")
            assert (answer.status_code, answer.json()["detail"]) == (404, "the workspace has no such run")

    async def test_a_run_of_another_workspace_is_not_there(self, world: World, api: Api) -> None:
        await world.given_workspace("other")
        await world.given(one_node(), "other")
        theirs = await world.admit(workspace="other")

        for path in ("", "/cancel", "/retry"):
            assert (await api.call("POST" if path else "GET", f"/runs/{theirs}{path}")).status_code == 404
        assert (await world.phase(theirs, "other")).value == "Running"


class TestLabels:
    async def test_they_are_shown_and_runs_are_found_by_all_that_are_named(self, world: World, api: Api) -> None:
        await world.given(one_node())
        both = await api.start(labels={"team": "shop", "example.com/kind": "report"})
        one = await api.start(labels={"team": "shop"})
        await api.start()

        assert both["labels"] == {"team": "shop", "example.com/kind": "report"}
        assert (await api.get("/runs"))["items"][0]["labels"] == {}
        assert await listed(api, label="team=shop", limit=1) == [one["id"], both["id"]]
        assert await listed(api, label=["team=shop", "example.com/kind=report"]) == [both["id"]]
        assert await listed(api, label="team=") == []

    @pytest.mark.parametrize(
        "labels", [{"headgate.dev/run": "x"}, {"a b": "x"}, {"a": "x y"}, {"a": 1}, {f"k{n}": "" for n in range(33)}]
    )
    async def test_what_is_no_label_is_refused(self, world: World, api: Api, labels: dict[str, Any]) -> None:
        await world.given(one_node())

        answer = await api.call("POST", "/runs", {"workflow": "nightly", "labels": labels})

        assert answer.status_code == 422, answer.text

    @pytest.mark.parametrize("label", ["", "team", "=shop", "a b=c", "team=a b"])
    async def test_what_is_no_filter_is_refused(self, api: Api, label: str) -> None:
        assert (await api.call("GET", "/runs", params={"label": label})).status_code == 422
