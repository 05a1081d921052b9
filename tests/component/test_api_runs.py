"""Runs through the API: started, listed, looked at, steered."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.api.members import Role
from headgate.api.quota import OnExceeded
from headgate.engine.engine import Engine
from tests.builders import a_workflow, a_workspace
from tests.component.api_client import Api, Ticking, replica
from tests.component.world import World, calling, chain, one_node


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


class TestSteering:
    async def test_a_run_that_ended_otherwise_is_not_cancelled_and_a_cancelled_one_stays_so(
        self, world: World, api: Api
    ) -> None:
        await world.given(one_node())
        run, other = await world.admit(), await world.admit()
        await world.succeed(run)

        assert "it is Succeeded" in (await api.post(f"/runs/{run}/cancel", status=409))["detail"]
        first = await api.post(f"/runs/{other}/cancel", {"reason": "one"})
        assert await api.post(f"/runs/{other}/cancel", {"reason": "two"}) == first

    async def test_a_container_that_runs_is_asked_to_end(self, world: World, api: Api) -> None:
        await world.given(one_node())
        run = await world.admit()
        [task] = await world.claim()
        await world.engine.record_jobs([(task.ref, "job-1")])

        ending = await api.post(f"/runs/{run}/cancel")

        assert (ending["phase"], ending["cancelling"]) == ("Running", True)
        assert [effects.stopping for _, effects in api.heard] == [(task.ref,)]
        assert await world.engine.stopping_jobs() == (task.ref,), "the operator, which can end it, finds it"
        await world.fail(run, reason="JobDeleted")
        assert await world.engine.stopping_jobs() == ()
        assert (await api.get(f"/runs/{run}"))["phase"] == "Cancelled"

    async def test_a_run_is_held_and_goes_on(self, world: World, api: Api) -> None:
        await world.given(one_node())
        run = await world.admit()

        held = await api.post(f"/runs/{run}/suspend", {"reason": "lunch"})
        assert held["phase"] == "Suspended"
        assert held["waitingFor"][0]["message"].endswith(": lunch")
        assert await world.claim() == []

        assert (await api.post(f"/runs/{run}/resume"))["phase"] == "Running"
        assert len(await world.claim()) == 1
        assert "this one is Running" in (await api.post(f"/runs/{run}/resume", status=409))["detail"]

    async def test_a_failed_run_is_retried_once_however_many_ask_at_once(self, world: World, api: Api) -> None:
        await world.given(one_node())
        run = await world.admit()
        assert "this one is Running" in (await api.post(f"/runs/{run}/retry", status=409))["detail"]
        await world.fail(run)

        answers = await asyncio.gather(*(api.call("POST", f"/runs/{run}/retry") for _ in range(4)))

        assert {answer.status_code for answer in answers} <= {200, 409}
        assert (await api.get(f"/runs/{run}"))["retries"] == 1

    async def test_a_run_that_was_called_is_retried_with_its_caller_only(self, world: World, api: Api) -> None:
        await world.given(one_node())
        await world.given(calling())
        await world.admit("caller")
        await chain(world)
        [called] = (await api.get("/runs", params={"workflow": "nightly"}))["items"]
        await world.fail(UUID(called["id"]))

        problem = await api.post(f"/runs/{called['id']}/retry", status=409)

        assert "retry that run" in problem["detail"]
        assert (await api.get(f"/runs/{called['id']}"))["kind"] == "call"

    @pytest.mark.parametrize("what", ["cancel", "suspend", "resume", "retry", "approve", "reject"])
    async def test_what_a_workflowrun_says_is_not_said_here(self, world: World, api: Api, what: str) -> None:
        await world.given(a_workflow().with_node("ask", {"approval": {}}))
        run = await world.admit(resource="nightly-1")
        before = await api.get(f"/runs/{run}")

        problem = await api.post(
            f"/runs/{run}/{what}", {"node": "ask"} if what in ("approve", "reject") else None, status=409
        )

        assert "WorkflowRun nightly-1 steers this run: change spec." in problem["detail"]
        assert await api.get(f"/runs/{run}") == before


class TestApprovals:
    @pytest.fixture
    async def run(self, world: World) -> UUID:
        await world.given(a_workflow().with_node("ask", {"approval": {}}).with_node("work", after=["ask"]))
        return await world.admit()

    async def test_approved_the_run_goes_on_in_the_name_of_who_approved(
        self, world: World, api: Api, run: UUID
    ) -> None:
        issued = await api.issue(role=Role.EDITOR)

        after = await api.post(f"/runs/{run}/approve", {"node": "ask", "comment": "fine"}, token=issued.text)

        by = f"apikey:{issued.view.id}"
        assert after["nodes"][0]["output"] == {"approved": True, "by": by, "comment": "fine"}
        assert after["nodes"][1]["phase"] == "Queued"

    async def test_rejected_it_fails(self, api: Api, run: UUID) -> None:
        after = await api.post(f"/runs/{run}/reject", {"node": "ask", "attempt": 1, "comment": "no\x00"})

        assert (after["phase"], after["nodes"][0]["reason"]) == ("Failed", "Rejected")

    async def test_what_waits_for_no_decision_is_not_decided(self, api: Api, run: UUID) -> None:
        for body in ({"node": "work"}, {"node": "other"}, {"node": "ask", "attempt": 2}):
            assert "decision" in (await api.post(f"/runs/{run}/approve", body, status=409))["detail"]
        await api.post(f"/runs/{run}/approve", {"node": "ask"})
        await api.post(f"/runs/{run}/approve", {"node": "ask"}, status=409)

    async def test_only_those_decide_whom_the_workflow_names(self, world: World, api: Api) -> None:
        await world.given(a_workflow().with_node("ask", {"approval": {"users": ["alice"]}}))
        run = await world.admit()

        problem = await api.post(f"/runs/{run}/approve", {"node": "ask"}, status=403)
        assert problem["reason"] == "NotAllowed"
        assert "may not decide this; alice may" in problem["detail"]

        api.given_members(a_workspace().with_member("editor", "User", "alice"))
        api.server.knows_user("a.b.c", "alice")
        assert (await api.post(f"/runs/{run}/approve", {"node": "ask"}, token="a.b.c"))["phase"] == "Succeeded"
