"""Starting a run goes a quicker way where the request is well formed, and nobody can tell."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from headgate.api.members import Role
from tests.component.api_client import Api
from tests.component.counted import stopped_clock
from tests.component.world import World, one_node

START = {"workflow": "nightly"}
QUICK, THOROUGH = "application/json", "application/json; charset=utf-8"
"""What is said of the same body: the quicker way is for what is said in the plainest words."""


async def both(api: Api, body: bytes, **more: Any) -> httpx.Response:
    """What is answered, which is the same whichever way the request went."""
    headers = more.pop("headers", {})
    quick, thorough = [
        await api.call("POST", "/runs", headers={**headers, "Content-Type": way}, content=body, **more)
        for way in (QUICK, THOROUGH)
    ]
    assert (quick.status_code, quick.content) == (thorough.status_code, thorough.content)
    # What is left of the limits is less by the second call.
    assert [pair for pair in quick.headers.raw if pair[0] != b"ratelimit"] == [
        pair for pair in thorough.headers.raw if pair[0] != b"ratelimit"
    ]
    return quick


async def test_the_run_of_a_key_is_told_in_the_same_words(world: World, api: Api) -> None:
    await world.given(one_node())
    headers = {"Idempotency-Key": "once"}
    first = await api.call("POST", "/runs", START, headers=headers)

    again = await both(api, json.dumps(START).encode(), headers=headers)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["location"] == first.headers["location"]


async def test_a_new_run_is_told_with_the_same_headers(world: World, api: Api) -> None:
    await world.given(one_node())
    quick, thorough = [
        await api.call("POST", "/runs", headers={"Content-Type": way}, content=json.dumps(START))
        for way in (QUICK, THOROUGH)
    ]

    assert quick.status_code == thorough.status_code == 201
    assert list(quick.headers) == list(thorough.headers)
    assert quick.json().keys() == thorough.json().keys()
    assert quick.headers["location"].endswith(quick.json()["id"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"workflow": "nightly"} x', 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"workflow": 1}', 422),
        (b'{"workflow": "Nightly!"}', 422),
        (b'{"workflow": "nightly", "more": true}', 422),
        (b'{"workflow": "nightly", "priority": "x"}', 422),
        (b'{"workflow": "nightly", "priority": 1e400, "replayOf": "x"}', 422),
        (b'{"workflow": "other"}', 404),
        (b'{"workflow": "nightly", "version": 9}', 422),
        (b'{"workflow": "nightly", "inputs": {"x": 1}}', 422),
    ],
)
async def test_a_refusal_is_the_same(world: World, api: Api, body: bytes, status: int) -> None:
    await world.given(one_node())

    answer = await both(api, body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", ["", "with space", "x" * 201])
async def test_a_key_that_is_none_is_refused_in_the_same_words(world: World, api: Api, key: str) -> None:
    await world.given(one_node())

    answer = await both(api, json.dumps(START).encode(), headers={"Idempotency-Key": key})

    assert answer.status_code == 422
    assert "idempotency-key" in answer.json()["detail"].lower()


@pytest.mark.parametrize("body", [b"{}", b'{"workflow": "nightly"}'])
async def test_who_may_not_start_runs_is_told_so_first(world: World, api: Api, body: bytes) -> None:
    await world.given(one_node())
    viewer = (await api.issue(role=Role.VIEWER)).text

    assert (await both(api, body, token=viewer)).status_code == 403
    assert (await both(api, body, token="hg_none")).status_code == 401
    assert (await both(api, body, token="")).status_code == 401
    assert (await both(api, body, workspace="other")).status_code == 404


async def test_a_call_counts_once_whichever_way_it_goes(world: World, api: Api) -> None:
    await world.given(one_node())
    with stopped_clock(world.superuser_url):
        before = await api.calls_used()

        await api.call("POST", "/runs", START)
        await api.call("POST", "/runs", {})

        assert await api.calls_used() == before + 3
