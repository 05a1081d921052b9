"""Logs of attempts through the API: what is kept, and what is waited for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from headgate.domain.step_log import log_path
from headgate.gateway import log_feed
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.streaming import reading, serving
from tests.component.world import World, one_node


@pytest.fixture
async def run(world: World) -> UUID:
    """A run whose node waits to start."""
    await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
    return await world.admit()


async def keep(api: Api, run: UUID, content: bytes, attempt: int = 1, *, truncated: bool = False) -> None:
    """Keep the log of an attempt as the operator does."""
    ref = api.world.ref(run, "work", attempt)
    path = log_path(ref) if content else None
    if path is not None:
        await api.objects.put(path, content)
    await api.world.engine.logs.record(ref, path, len(content), truncated=truncated)


async def shown(api: Api, run: UUID, step: str = "work", **params: Any) -> httpx.Response:
    return await api.call("GET", f"/runs/{run}/steps/{step}/log", params=params)


async def test_what_an_attempt_wrote_is_shown_as_plain_text(api: Api, run: UUID) -> None:
    await keep(api, run, b"<script>\xff\n", truncated=True)

    answer = await shown(api, run)

    assert (answer.status_code, answer.content) == (200, b"<script>\xff\n")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["headgate-log-truncated"] == "true"


async def test_the_latest_attempt_is_meant_unless_one_is_named(world: World, api: Api, run: UUID) -> None:
    await world.fail(run)
    await keep(api, run, b"first")
    await keep(api, run, b"second", 2)

    assert (await shown(api, run)).content == b"second"
    assert (await shown(api, run, attempt=1)).content == b"first"


async def test_a_long_one_comes_piece_by_piece_and_whole(api: Api, run: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_feed, "PIECE_BYTES", 7)
    content = bytes(range(256)) * 3
    await keep(api, run, content)

    assert (await shown(api, run)).content == content


async def test_an_empty_one_is_empty(api: Api, run: UUID) -> None:
    await keep(api, run, b"")

    assert ((await shown(api, run)).status_code, (await shown(api, run)).content) == (200, b"")


async def test_what_is_not_there_says_why(world: World, api: Api, run: UUID) -> None:
    for answer, why in (
        (await shown(api, run), "comes when the attempt has ended"),
        (await shown(api, run, attempt=7), "no such attempt"),
        (await shown(api, run, "other"), "no such attempt"),
    ):
        assert answer.status_code == 404
        assert why in answer.json()["detail"]
    await keep(api, run, b"gone")
    await api.objects.delete(log_path(world.ref(run, "work")))
    assert "not in the object store" in (await shown(api, run)).json()["detail"]


async def test_one_for_which_there_was_no_room_says_so(api: Api, run: UUID) -> None:
    await keep(api, run, b"", truncated=True)

    answer = await shown(api, run)
    assert (answer.status_code, answer.json()["reason"]) == (404, "LogNotKept")
    assert "maxStorageMB" in answer.json()["detail"]


async def test_another_tenants_log_is_not_there(world: World, api: Api, run: UUID) -> None:
    await world.given_workspace("other")
    await keep(api, run, b"ours")

    theirs = (await api.issue("other")).text
    answer = await api.call("GET", f"/runs/{run}/steps/work/log", token=theirs, workspace="other")
    assert answer.status_code == 404


@pytest.mark.parametrize("step", ["Work", "work.", "work.12345", "..%2f..", "w" * 81, "work%00"])
async def test_what_is_no_step_is_refused(api: Api, run: UUID, step: str) -> None:
    assert (await shown(api, run, step)).status_code in (404, 422)


async def test_following_waits_for_the_log_and_ends_with_it(world: World, api: Api, run: UUID) -> None:
    token = (await api.issue()).text
    async with serving(api) as url, reading(url, f"/runs/{run}/steps/work/log?follow=true", token) as stream:
        assert stream.answer.status_code == 200
        await world.succeed(run)
        await keep(api, run, b"done\n")

        assert b"".join([piece async for piece in stream.answer.aiter_raw()]) == b"done\n"


async def test_following_a_log_that_never_comes_ends_with_a_word(
    world: World, api: Api, run: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_feed, "PATIENCE_CHECKS", 0)
    await world.succeed(run)

    answer = await shown(api, run, follow=True)

    assert answer.text == "headgate: no log of this attempt is kept: its attempt ended, and it did not come\n"


async def test_following_what_never_ran_in_a_run_that_is_over_is_refused(world: World, api: Api, run: UUID) -> None:
    await world.succeed(run)

    assert (await shown(api, run, "other", follow=True)).status_code == 404


@pytest.mark.parametrize("follow", [False, True])
async def test_a_node_that_no_pod_executes_has_none_and_nobody_waits_for_it(
    world: World, api: Api, follow: bool
) -> None:
    await world.given(a_workflow("asks").with_node("ask", {"approval": {}}))
    asking = await world.admit("asks")

    answer = await shown(api, asking, "ask", follow=follow)

    assert (answer.status_code, answer.json()["reason"]) == (404, "NoLog")
    assert answer.json()["detail"] == "node ask has no log: it is not executed by a pod"


async def test_all_places_are_given_back(world: World, api: Api, run: UUID) -> None:
    await shown(api, run)
    await keep(api, run, b"gone")
    await shown(api, run)
    await api.objects.delete(log_path(world.ref(run, "work")))
    await shown(api, run)

    assert api.registry.get_sample_value("headgate_gateway_streams") == 0
