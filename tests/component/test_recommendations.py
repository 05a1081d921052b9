"""Recommendations, and words for what lacks them: once a day for each workspace."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.domain.recommendations import Recommendation, Rule
from headgate.domain.search import SearchKind
from headgate.engine.reading import recommendations as use_case
from headgate.engine.types import VersionRecord
from headgate.store import recommendations
from tests.component.api_client import Api
from tests.component.world import World, one_node


async def fared(world: World, version: VersionRecord, failed: int, workspace: str = "acme", days_ago: int = 0) -> None:
    """Let the node ``work`` have made a hundred attempts on a day."""
    await world.rows(
        "INSERT INTO headgate.node_analytics_daily (workspace_id, workflow_id, day, node, attempts, failed,"
        " duration_ms, longest_ms) VALUES (%s, %s, CAST(%s AS date) - %s, 'work', 100, %s, 1000, 100)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        world.ids[workspace],
        version.workflow_id,
        world.clock.now,
        days_ago,
        failed,
    )


async def make(world: World) -> None:
    """All that is due."""
    while await world.engine.recommendations.make(world.clock.now):
        pass


async def told(world: World, workspace: str = "acme") -> list[tuple[str, str, str]]:
    listed = await world.engine.recommendations.listed(world.ids[workspace])
    return [(one.workflow, one.node, one.rule) for one in listed]


async def test_a_node_that_fails_often_is_to_be_retried_until_it_is(world: World) -> None:
    await fared(world, await world.given(one_node()), failed=20)
    await make(world)
    assert await told(world) == [("nightly", "work", Rule.RETRY)]

    await world.given(one_node(retry={"limit": 2}))
    await make(world)
    assert await told(world) == [("nightly", "work", Rule.RETRY)], "it was looked after today"
    world.clock.advance(days=1)
    await make(world)
    assert await told(world) == []


async def test_what_was_a_week_ago_counts_no_more(world: World) -> None:
    await fared(world, await world.given(one_node()), failed=20, days_ago=7)
    await make(world)

    assert await told(world) == []


async def test_one_that_says_the_same_stays_as_it_is(world: World) -> None:
    await fared(world, await world.given(one_node()), failed=20)
    await make(world)
    [first] = await world.rows("SELECT id, made_at FROM headgate.recommendations")
    world.clock.advance(days=1)
    await make(world)

    assert await world.rows("SELECT id, made_at FROM headgate.recommendations") == [first]


async def test_they_are_listed_and_found_by_their_words_and_by_nobody_else(world: World, api: Api) -> None:
    await world.given_workspace("other")
    for workspace in ("acme", "other"):
        await fared(world, await world.given(one_node(), workspace), 20 if workspace == "acme" else 60, workspace)
    await make(world)

    [listed] = (await api.get("/recommendations"))["items"]
    [hit] = (await api.get("/search", params={"q": "retry nightly", "kind": "recommendation"}))["items"]
    assert (listed["workflow"], listed["node"], listed["rule"]) == ("nightly", "work", "Retry")
    assert (hit["workflow"], hit["node"], hit["text"]) == ("nightly", "work", listed["message"])
    assert (await api.get("/search", params={"q": "logs", "kind": "recommendation"}))["items"] == []
    assert await told(world, "other") == [("nightly", "work", Rule.REPAIR)]


async def test_a_workspace_that_fails_does_not_disturb_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.given_workspace("other")
    for workspace in ("acme", "other"):
        await fared(world, await world.given(one_node(), workspace), 20, workspace)
    replace = recommendations.replace

    async def failing(tx: Any, workspace_id: Any, made: list[Recommendation], now: Any) -> None:
        if workspace_id == world.ids["acme"]:
            raise RuntimeError("broken")
        await replace(tx, workspace_id, made, now)

    monkeypatch.setattr(recommendations, "replace", failing)
    await make(world)

    assert (await told(world), len(await told(world, "other"))) == ([], 1)


async def test_what_was_there_before_there_were_words_is_found_after_a_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_case, "MOST_FILLED", 2)
    await world.given(one_node())
    for _ in range(5):
        await world.fail(await world.admit(), "work")
    await world.succeed(await world.admit())
    await world.rows("DELETE FROM headgate.run_documents RETURNING 1")
    await world.rows("DELETE FROM headgate.workflow_documents RETURNING 1")

    await make(world)

    for kind, query, count in ((SearchKind.RUN, "exit code", 5), (SearchKind.WORKFLOW, "nightly", 1)):
        assert len((await world.engine.search.find(world.ids["acme"], kind, query)).items) == count
