"""Searching by the API and by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headgate.domain.api_keys import Scope
from tests.component.api_client import Api
from tests.component.commands import Shell
from tests.component.streaming import serving
from tests.component.world import World, one_node


async def test_runs_and_workflows_are_found_page_by_page(world: World, api: Api) -> None:
    await world.given(one_node())
    first, second = await world.admit(), await world.admit()
    for run in (first, second):
        await world.fail(run, "work")

    newest = await api.get("/search", params={"q": "exit code", "kind": "run", "limit": 1})
    older = await api.get(
        "/search", params={"q": "exit code", "kind": "run", "limit": 1, "cursor": newest["nextCursor"]}
    )
    [workflow] = (await api.get("/search", params={"q": "nightly", "kind": "workflow"}))["items"]

    assert [newest["items"][0]["runId"], older["items"][0]["runId"]] == [str(second), str(first)]
    assert newest["items"][0]["text"] == "work: ExitCode: exit code 3"
    assert (workflow["workflow"], workflow["version"], workflow["runId"]) == ("nightly", 1, None)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"kind": "run"}, "q"),
        ({"q": "disk"}, "kind"),
        ({"q": "disk", "kind": "secret"}, "workflow"),
        ({"q": "...", "kind": "run"}, "write some letters or digits"),
        ({"q": "x" * 201, "kind": "run"}, "200"),
        ({"q": "disk\0", "kind": "run"}, "write some letters or digits"),
        ({"q": "disk", "kind": "run", "cursor": "x"}, "the cursor is not one"),
        ({"q": "disk", "kind": "workflow", "cursor": "nan:x"}, "the cursor is not one"),
    ],
)
async def test_what_cannot_be_looked_for_says_what_to_change(api: Api, query: dict[str, str], says: str) -> None:
    answer = await api.call("GET", "/search", params=query)

    assert answer.status_code == 422
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("query", ["'; DROP TABLE x --", "a & b | !c <-> (d", ":* 'x", "%(words)s \\", '"' * 50 + "a"])
async def test_no_query_is_anything_but_words(world: World, api: Api, query: str) -> None:
    await world.given(one_node())
    await world.fail(await world.admit(), "work")

    for kind in ("run", "workflow"):
        assert (await api.get("/search", params={"q": query, "kind": kind}))["items"] == []


async def test_who_may_not_list_workflows_does_not_find_them_either(world: World, api: Api) -> None:
    await world.given(one_node())
    key = (await api.issue(scopes=frozenset([Scope.RUNS_READ]))).text

    answer = await api.call("GET", "/search", params={"q": "nightly", "kind": "workflow"}, token=key)

    assert answer.status_code == 403
    assert "workflows:read" in answer.json()["detail"]
    assert (await api.get("/search", params={"q": "nightly", "kind": "run"}, token=key))["items"] == []


async def test_the_command_shows_what_is_found(world: World, api: Api, tmp_path: Path) -> None:
    await world.given(one_node())
    run = await world.admit()
    await world.fail(run, "work")
    async with serving(api) as url:
        shell = Shell(url, (await api.issue()).text, tmp_path)

        runs = await shell("search", "exit code")
        workflows = await shell("search", "nightly", "--kind", "workflow", "-o", "json")
        wrong = await shell("search", "nightly", "--kind", "secret")

    assert str(run) in runs.out
    assert "work: ExitCode: exit code 3" in runs.out
    assert json.loads(workflows.out)["items"][0]["workflow"] == "nightly"
    assert wrong.code == 2
    assert "--kind is one of" in wrong.err
