"""Workflows, their versions, what a workspace uses, and the document of the API."""

from __future__ import annotations

from typing import Any

import pytest

from hack.generate import api_document
from headgate.api.circuit_breaker import CircuitBreaker
from headgate.engine.engine import Engine
from tests.builders import a_workflow, container
from tests.component.api_client import Api
from tests.component.world import World, one_node


async def pages(api: Api, path: str, limit: int = 2) -> list[Any]:
    """The entries of all pages."""
    found: list[Any] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = await api.get(path, params=query)
        found += page["items"]
        if page["nextCursor"] is None:
            return found
        query["cursor"] = page["nextCursor"]


class TestWorkflows:
    async def test_they_are_listed_by_name_over_pages_without_those_that_are_gone(self, world: World, api: Api) -> None:
        for name in ("c", "a", "d", "b", "e"):
            await world.given(one_node(name))
        await world.engine.workflows.retire(world.ids["acme"], "acme", "d")

        assert [item["name"] for item in await pages(api, "/workflows")] == ["a", "b", "c", "e"]
        assert [item["name"] for item in await pages(api, "/workflows", 50)] == ["a", "b", "c", "e"]

    async def test_one_tells_its_current_version_and_whether_it_is_suspended(self, world: World, api: Api) -> None:
        await world.given(one_node())
        world.clock.advance(hours=1)
        version = await world.given(one_node().with_node("more").with_spec(suspend=True))

        assert await api.get("/workflows/acme/nightly") == {
            "namespace": "acme",
            "name": "nightly",
            "suspended": True,
            "createdAt": "2026-03-10T12:00:00Z",
            "version": 2,
            "versionCreatedAt": "2026-03-10T13:00:00Z",
            "contentHash": version.content_hash,
        }

    async def test_versions_are_listed_newest_first_and_read(self, world: World, api: Api) -> None:
        for count in range(5):
            await world.given(one_node().with_spec(displayName=f"version {count + 1}"))

        found = await pages(api, "/workflows/acme/nightly/versions")
        assert [(item["number"], item["current"]) for item in found] == [
            (number, number == 5) for number in range(5, 0, -1)
        ]
        first = await api.get("/workflows/acme/nightly/versions/1")
        assert first == {**found[-1], "spec": first["spec"]}
        assert first["spec"]["displayName"] == "version 1"

    async def test_two_versions_are_compared(self, world: World, api: Api) -> None:
        await world.given(a_workflow().with_node("work", container("x:1")))
        await world.given(a_workflow().with_node("work", container("x:2")))

        async def diff(before: int, after: int) -> Any:
            return await api.get("/workflows/acme/nightly/diff", params={"before": before, "after": after})

        made = await diff(1, 2)
        assert made["diff"].startswith("--- acme/nightly version 1\n+++ acme/nightly version 2\n")
        assert [line.strip() for line in made["diff"].splitlines() if line[1:].strip().startswith("image")] == [
            "-      image: x:1",
            "+      image: x:2",
        ]
        assert await diff(2, 2) == {"before": 2, "after": 2, "diff": ""}

    async def test_a_version_of_another_release_is_shown_and_not_compared(self, world: World, api: Api) -> None:
        await world.given(one_node())
        await world.rows("UPDATE headgate.workflow_versions SET spec = '{\"later\": 1}' RETURNING 1")

        assert (await api.get("/workflows/acme/nightly/versions/1"))["spec"] == {"later": 1}
        answer = await api.call("GET", "/workflows/acme/nightly/diff", params={"before": 1, "after": 1})
        assert (answer.status_code, "another release" in answer.json()["detail"]) == (409, True)

    @pytest.mark.parametrize(
        "path",
        ["/other", "/nightly/versions/2", "/other/versions", "/other/versions/1", "/nightly/diff?before=1&after=2"],
    )
    async def test_what_is_not_there_is_not_found(self, world: World, api: Api, path: str) -> None:
        await world.given(one_node())

        assert (await api.call("GET", f"/workflows/acme{path}")).status_code == 404

    @pytest.mark.parametrize(
        "path",
        [
            "?cursor=x",
            "?cursor=a/B",
            "?limit=0",
            "/acme/nightly/versions?cursor=x",
            "/acme/nightly/versions?cursor=99999999999",
            "/acme/nightly/versions/0",
            "/acme/nightly/versions/99999999999",
            "/acme/Nightly",
            "/acme/nightly%00",
            "/acme/nightly/diff?before=1",
        ],
    )
    async def test_what_means_nothing_is_refused(self, world: World, api: Api, path: str) -> None:
        await world.given(one_node())

        assert (await api.call("GET", f"/workflows{path}")).status_code == 422


class TestUsage:
    async def test_it_tells_what_is_used_of_each_limit(self, world: World, api: Api) -> None:
        await world.given_workspace(max_concurrent_runs=1, max_workflows=7, max_executions_per_day=9)
        await world.given(one_node())
        await world.admit()
        await world.admit()

        usage = await api.get("/usage")

        assert (usage["shared"], usage["runningRuns"], usage["pendingRuns"]) == (False, 1, 1)
        assert {item["name"]: (item["used"], item["limit"], item["usedTogether"]) for item in usage["limits"]} == {
            "maxConcurrentRuns": (1, 1, None),
            "maxExecutionsPerDay": (1, 9, None),
            "maxStorageMB": (0, 10_000, None),
            "maxApiCallsPerHour": (1, 5_000, None),
            "maxWorkflows": (1, 7, None),
        }
        assert usage["circuitBreaker"] == {"state": "Closed", "failures": 0, "retryAt": None}

    async def test_of_a_shared_plan_it_tells_what_all_use_and_names_nobody(self, world: World, api: Api) -> None:
        await world.given_workspace("acme", pot="team")
        await world.given_workspace("other", pot="team")
        for workspace in ("acme", "other"):
            await world.given(one_node(), workspace)
            await world.admit(workspace=workspace)

        answer = await api.call("GET", "/usage")

        used = {item["name"]: (item["used"], item["usedTogether"]) for item in answer.json()["limits"]}
        assert answer.json()["shared"]
        assert (used["maxConcurrentRuns"], used["maxExecutionsPerDay"]) == ((1, 2), (1, 2))
        assert "other" not in answer.text
        assert "team" not in answer.text

    async def test_it_tells_of_an_open_circuit_breaker(self, world: World, api: Api) -> None:
        await world.given_workspace(breaker=CircuitBreaker(failure_threshold=1))
        await world.given(one_node())
        await world.fail(await world.admit())

        breaker = (await api.get("/usage"))["circuitBreaker"]

        assert (breaker["state"], breaker["retryAt"] is not None) == ("Open", True)

    async def test_executions_of_yesterday_count_no_more(self, world: World, api: Api) -> None:
        await world.given(one_node())
        await world.admit()
        world.clock.advance(days=1)

        assert [item["used"] for item in (await api.get("/usage"))["limits"]][1] == 0

    async def test_a_workspace_tells_its_id_and_who_calls(self, world: World, api: Api) -> None:
        await world.given_workspace(suspended=True)

        workspace = await api.get("")

        assert (workspace["id"], workspace["name"], workspace["suspended"]) == (str(world.ids["acme"]), "acme", True)
        assert workspace["caller"]["role"] == "owner"

    async def test_one_that_was_retired_is_gone(self, world: World, api: Api, replicas: list[Engine]) -> None:
        await api.get("")
        await world.engine.workspaces.retire("acme")

        assert (await api.call("GET", "/usage")).status_code == 404, "while the key is still believed"


class TestDocument:
    async def test_it_is_served_as_it_is_kept(self, api: Api) -> None:
        served = await api.http.get("/api/v1/openapi.json")

        assert served.status_code == 200
        assert served.json() == api_document()
        assert served.json()["openapi"] == "3.1.0"

    def test_every_field_and_every_operation_is_described(self) -> None:
        made = api_document()
        operations = [item for path in made["paths"].values() for item in path.values()]
        bare = [item["operationId"] for item in operations if not item.get("description")]
        bare += [
            f"{name}.{field}"
            for name, schema in made["components"]["schemas"].items()
            for field, member in schema.get("properties", {}).items()
            if "description" not in member and "$ref" not in member
        ]
        assert bare == []

    def test_every_refusal_is_a_problem(self) -> None:
        responses = api_document()["components"]["responses"]
        assert {media for response in responses.values() for media in response["content"]} == {
            "application/problem+json"
        }
