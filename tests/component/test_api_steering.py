"""Runs through the API: cancelled, held, retried, decided."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from headgate.api.members import Role
from tests.builders import a_workflow, a_workspace
from tests.component.api_client import Api
from tests.component.world import World, calling, chain, one_node


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
