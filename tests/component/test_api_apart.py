"""Test and Debug runs through the API: started, looked at where they stand, let go on, by steps too."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.members import Role
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.tried import chain, given_outputs
from tests.component.world import World, one_node


async def debugging(api: Api, *nodes: str, **members: Any) -> Any:
    """A Debug run that stops before these nodes."""
    points = [{"node": node} for node in nodes]
    return await api.start(mode="Debug", debug={"breakpoints": points, **members})


def stands(run: Any) -> str | None:
    """The node before which it stands."""
    if run["breakpoint"] is None:
        return None
    assert (run["phase"], run["breakpoint"]["at"]) == ("Suspended", "Before")
    return str(run["breakpoint"]["node"])


class TestStarting:
    async def test_a_test_run_has_its_mocks_and_counts_for_nothing(self, world: World, api: Api) -> None:
        given_outputs(world)
        await world.given_workspace(max_concurrent_runs=1, max_executions_per_day=1)
        await world.given(chain())

        run = await api.start(mode="Test", debug={"mocks": [{"node": "a"}, {"node": "b", "output": "from b"}]})

        assert (run["mode"], run["phase"], run["breakpoint"]) == ("Test", "Running", None)
        assert [node["reason"] for node in run["nodes"][:2]] == ["Mocked", "Mocked"]
        [task] = await world.claim()
        assert (task.ref.node, task.container.args, str(task.mode)) == ("c", ("from b",), "Test")
        usage = await world.usage()
        assert (usage["running"], usage["executions"]) == (0, 0)
        assert [item["mode"] for item in (await api.get("/runs"))["items"]] == ["Test"]

    async def test_it_takes_up_where_an_earlier_run_was(self, world: World, api: Api) -> None:
        given_outputs(world)
        await world.given(chain())
        earlier = await world.admit()
        await world.succeed(earlier, "a")
        await world.succeed(earlier, "b", output="from earlier")

        run = await api.start(mode="Test", debug={"pinsFrom": str(earlier), "startFrom": "c", "stopAfter": "c"})

        assert [node["output"] for node in run["nodes"]] == [None, "from earlier", None]
        assert [node["phase"] for node in run["nodes"]] == ["Succeeded", "Succeeded", "Queued"]

    @pytest.mark.parametrize(
        ("members", "says"),
        [
            ({"debug": {}}, "set mode to Test or Debug"),
            ({"mode": "Test", "debug": {"breakpoints": [{"node": "a"}]}}, "set mode to Debug"),
            ({"mode": "Debug", "debug": {"breakpoints": [{"node": "a"}, {"node": "a"}]}}, "before a once"),
            ({"mode": "Test", "debug": {"mocks": [{"node": "x"}]}}, "the workflow has no node 'x'"),
            ({"mode": "Test", "debug": {"mocks": [{"node": "a", "output": "\x00"}]}}, "the character U+0000"),
            ({"mode": "Test", "debug": {"mocks": [{"node": "a", "failure": "\x00"}]}}, "the character U+0000"),
            ({"mode": "Test", "debug": {"pins": [{"node": "a", "run": "mine"}]}}, "no run mine"),
            ({"mode": "Test", "debug": {"startFrom": "b"}}, "give node 'a' a mock"),
        ],
    )
    async def test_what_cannot_be_done_is_refused_with_what_to_change(
        self, world: World, api: Api, members: Any, says: str
    ) -> None:
        await world.given(chain())

        problem = await api.post("/runs", {"workflow": "nightly", **members}, status=422)

        assert (problem["reason"], says in problem["detail"]) == ("InvalidDebug", True), problem
        assert (await api.get("/runs"))["items"] == []

    @pytest.mark.parametrize(
        "members",
        [
            {"mode": "Real"},
            {"debug": []},
            {"mode": "Test", "debug": {"mock": []}},
            {"mode": "Test", "debug": {"mocks": [{"node": "No"}]}},
            {"mode": "Debug", "debug": {"breakpoints": [{"node": "a", "at": "Never"}]}},
            {"mode": "Test", "debug": {"mocks": [{"node": f"n{index}"} for index in range(101)]}},
        ],
    )
    async def test_what_is_not_in_the_form_of_a_workflowrun_is_refused(
        self, world: World, api: Api, members: Any
    ) -> None:
        await world.given(chain())

        assert "body" in (await api.post("/runs", {"workflow": "nightly", **members}, status=422))["detail"]

    async def test_the_sixth_at_a_time_is_refused_for_now(self, world: World, api: Api) -> None:
        await world.given(one_node())
        for _ in range(5):
            await api.start(mode="Test")

        problem = await api.post("/runs", {"workflow": "nightly", "mode": "Test"}, status=429)

        assert problem["reason"] == "TestLimit"

    async def test_viewers_start_none(self, world: World, api: Api) -> None:
        await world.given(one_node())
        viewer = (await api.issue(role=Role.VIEWER)).text

        await api.post("/runs", {"workflow": "nightly", "mode": "Debug"}, status=403, token=viewer)

        assert (await api.get("/runs"))["items"] == []

    async def test_the_audit_log_says_what_kind_of_run_it_was(self, world: World, api: Api) -> None:
        await world.given(one_node())
        await api.start(mode="Debug")

        [entry] = [item for item in (await api.get("/audit"))["items"] if item["action"] == "run.start"]
        assert entry["detail"]["mode"] == "Debug"


class TestStanding:
    async def test_what_it_was_given_and_what_came_of_it_is_shown(self, world: World, api: Api) -> None:
        await world.given(chain().with_input("day").with_input("limit", default=5))

        run = await debugging(api, "b", mocks=[{"node": "a", "output": {"rows": 3}}])
        given = await api.start(mode="Debug", inputs={"day": "monday"}, debug={"breakpoints": [{"node": "a"}]})

        assert (stands(run), run["nodes"][0]["output"]) == ("b", {"rows": 3})
        assert run["waitingFor"][0]["reason"] == "Breakpoint"
        assert given["inputs"] == {"day": "monday", "limit": 5}
        viewer = (await api.issue(role=Role.VIEWER)).text
        assert (await api.get(f"/runs/{given['id']}", token=viewer))["breakpoint"] == {"node": "a", "at": "Before"}

    async def test_what_a_normal_run_was_given_is_not(self, world: World, api: Api) -> None:
        await world.given(one_node().with_input("day"))

        run = await api.start(inputs={"day": "monday"})

        assert (run["mode"], run["inputs"]) == ("Normal", None)
        assert (await api.get(f"/runs/{run['id']}"))["inputs"] is None

    async def test_after_a_node_and_at_a_failure_too(self, world: World, api: Api) -> None:
        given_outputs(world)
        await world.given(chain())
        mocks = [{"node": "a"}, {"node": "b", "failure": "no disk"}]
        points = [{"node": "a", "at": "After"}, {"node": "b", "at": "Failure"}]

        run = await api.start(mode="Debug", debug={"mocks": mocks, "breakpoints": points})
        assert run["breakpoint"] == {"node": "a", "at": "After"}
        run = await api.post(f"/runs/{run['id']}/resume")
        assert run["breakpoint"] == {"node": "b", "at": "Failure"}
        assert (run["nodes"][1]["reason"], run["nodes"][1]["message"]) == ("Mocked", "no disk")

        assert (await api.post(f"/runs/{run['id']}/resume"))["phase"] == "Failed"

    async def test_before_and_after_the_same_node(self, world: World, api: Api) -> None:
        given_outputs(world)
        await world.given(chain())
        points = [{"node": "a"}, {"node": "a", "at": "After"}]

        run = await api.start(mode="Debug", debug={"mocks": [{"node": "a"}], "breakpoints": points})
        stood = [run["breakpoint"]]
        for _ in points:
            run = await api.post(f"/runs/{run['id']}/resume")
            stood.append(run["breakpoint"])

        assert stood == [{"node": "a", "at": "Before"}, {"node": "a", "at": "After"}, None]


class TestGoingOn:
    async def test_to_the_next_breakpoint(self, world: World, api: Api) -> None:
        given_outputs(world)
        await world.given(chain())
        run = await debugging(api, "a", "c")
        assert stands(run) == "a"

        assert (await api.post(f"/runs/{run['id']}/resume"))["breakpoint"] is None
        assert [effects.tasks_queued for _, effects in api.heard] == [False, True]
        [task] = await world.claim()
        await world.succeed(task.ref.run_id, "a")
        await world.succeed(task.ref.run_id, "b", output=1)

        assert stands(await api.get(f"/runs/{run['id']}")) == "c"

    async def test_by_steps(self, world: World, api: Api) -> None:
        given_outputs(world)
        await world.given(chain())
        mocks = [{"node": node, "output": f"from {node}"} for node in ("a", "b", "c")]
        run = await debugging(api, "a", mocks=mocks)

        stood = []
        while run["phase"] == "Suspended":
            stood.append((stands(run), [node["phase"] for node in run["nodes"]].count("Succeeded")))
            run = await api.post(f"/runs/{run['id']}/resume", {"step": True})

        assert stood == [("a", 0), ("b", 1), ("c", 2)]
        assert run["phase"] == "Succeeded"

    async def test_a_step_waits_for_what_it_started(self, world: World, api: Api) -> None:
        given_outputs(world)
        await world.given(chain())
        run = await debugging(api, "a")

        run = await api.post(f"/runs/{run['id']}/resume", {"step": True})
        assert (run["phase"], run["breakpoint"]) == ("Running", None)
        [task] = await world.claim()
        await world.succeed(task.ref.run_id, "a", output=7)

        run = await api.get(f"/runs/{run['id']}")
        assert (stands(run), run["nodes"][0]["output"]) == ("b", 7)
        assert await world.claim() == []
        run = await api.post(f"/runs/{run['id']}/resume")
        assert [task.ref.node for task in await world.claim()] == ["b"]
        await world.succeed(task.ref.run_id, "b")
        assert [task.ref.node for task in await world.claim()] == ["c"], "going on ended the steps"

    async def test_what_stands_at_no_breakpoint_takes_no_step(self, world: World, api: Api) -> None:
        await world.given(one_node())
        run = await world.admit()
        await api.post(f"/runs/{run}/resume", {"step": True}, status=409)
        await api.post(f"/runs/{run}/suspend")

        assert "breakpoint" in (await api.post(f"/runs/{run}/resume", {"step": True}, status=409))["detail"]
        assert (await api.post(f"/runs/{run}/resume"))["phase"] == "Running"

    async def test_retried_it_goes_on_from_what_failed(self, world: World, api: Api) -> None:
        await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))
        run = await debugging(api, "b", mocks=[{"node": "a", "output": 1}])
        await api.post(f"/runs/{run['id']}/resume")
        [task] = await world.claim()
        await world.fail(task.ref.run_id, "b")

        run = await api.post(f"/runs/{run['id']}/retry")

        assert (run["mode"], run["retries"], stands(run), run["nodes"][0]["output"]) == ("Debug", 1, "b", 1)
        await api.post(f"/runs/{run['id']}/resume")
        assert [(task.ref.node, task.ref.attempt) for task in await world.claim()] == [("b", 2)]

    async def test_where_five_are_under_way_it_is_told_to_ask_later(self, world: World, api: Api) -> None:
        await world.given(one_node())
        failed = await api.start(mode="Test", debug={"mocks": [{"node": "work", "failure": "no"}]})
        for _ in range(5):
            await api.start(mode="Test")

        problem = await api.post(f"/runs/{failed['id']}/retry", status=429)

        assert problem["reason"] == "TestLimit"
        assert (await api.get(f"/runs/{failed['id']}"))["retries"] == 0
