"""What callers of the API are told of limits of calls, and whose calls count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from headgate.api.members import Role
from headgate.gateway.strangers import Strangers
from tests.builders import a_workflow, a_workspace
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.counted import PostgresClock, counting_replicas, stopped_clock
from tests.component.streaming import reading, serving
from tests.component.world import NOON, World
from tests.support.databases import TestDatabase
from tests.support.redis_server import RedisServer


@pytest.fixture(autouse=True)
def clock(world: World, fresh: TestDatabase) -> Iterator[PostgresClock]:
    with stopped_clock(fresh.superuser_url) as clock:
        clock.set(NOON.replace(minute=59, second=50))
        yield clock


@pytest.fixture
async def replicas(world: World) -> AsyncIterator[list[Api]]:
    """Three, where one caller has 20 calls a minute."""
    async with counting_replicas(world, 3, burst=20) as made:
        yield [item.api for item in made]


async def test_every_answer_tells_what_is_left(world: World, replicas: list[Api]) -> None:
    await world.given_workspace(max_api_calls_per_hour=30)
    answer = await replicas[0].call("GET", "/runs")
    assert answer.headers["RateLimit-Policy"] == '"workspace";q=30;w=3600, "caller";q=20;w=60'
    assert answer.headers["RateLimit"] == '"workspace";r=29;t=10, "caller";r=19;t=10'


async def test_a_call_too_many_is_told_when_to_come_again(world: World, replicas: list[Api]) -> None:
    await world.given_workspace(max_api_calls_per_hour=1)
    await replicas[0].get("/runs")
    answer = await replicas[0].call("GET", "/runs")
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["RateLimit"].startswith('"workspace";r=0;t=10')
    assert answer.json()["reason"] == "ApiCallLimit"
    assert answer.json()["detail"].startswith("the workspace has 1 calls an hour (maxApiCallsPerHour of its Quota)")
    assert answer.json()["detail"].endswith("call again in 10 seconds")


async def test_one_caller_too_many_is_told_so_and_others_go_on(replicas: list[Api]) -> None:
    key = (await replicas[0].issue()).text
    answers = await asyncio.gather(*(replicas[0].call("GET", "/runs", token=key) for _ in range(30)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 10
    assert {answer.json()["reason"] for answer in refused} == {"CallerLimit"}
    assert (await replicas[0].call("GET", "/runs", token=(await replicas[0].issue()).text)).status_code == 200


async def test_of_two_hundred_requests_at_once_to_three_replicas_as_many_pass_as_are_left(
    world: World, replicas: list[Api]
) -> None:
    await world.given_workspace(max_api_calls_per_hour=50)
    keys = [(await replicas[0].issue()).text for _ in range(20)]
    answers = await asyncio.gather(
        *(replicas[number % 3].call("GET", "/runs", token=keys[number % 20]) for number in range(200))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 50 + [429] * 150


async def test_with_redis_they_do_as_well_and_when_it_dies_under_them(world: World, redis: RedisServer) -> None:
    await world.given_workspace(max_api_calls_per_hour=150)
    async with counting_replicas(world, 3, redis) as made:
        keys = [(await made[0].api.issue()).text for _ in range(20)]

        async def passing(count: int) -> int:
            answers = await asyncio.gather(
                *(made[number % 3].api.call("GET", "/runs", token=keys[number % 20]) for number in range(count))
            )
            return sum(answer.status_code == 200 for answer in answers)

        assert sum([await passing(20) for _ in range(5)]) == 100
        under_way = asyncio.create_task(passing(200))
        await asyncio.sleep(0)
        await asyncio.to_thread(redis.kill)
        assert await under_way == 50


async def test_who_cannot_prove_who_they_are_uses_up_nothing(replicas: list[Api]) -> None:
    used = await replicas[0].calls_used()
    for token in ("", "hg_x", "a.b.c"):
        assert (await replicas[0].call("GET", "/runs", token=token)).status_code == 401
    assert await replicas[0].calls_used() == used + 1


async def test_who_is_no_member_uses_up_nothing(world: World, replicas: list[Api]) -> None:
    used = await replicas[0].calls_used()
    replicas[0].given_members(a_workspace())
    replicas[0].server.knows_user("e.v.e", "eve")
    answer = await replicas[0].call("GET", "/runs", token="e.v.e")
    assert answer.status_code == 404
    assert "RateLimit" not in answer.headers
    assert await replicas[0].calls_used() == used + 1


async def test_what_a_member_may_not_do_counts(replicas: list[Api]) -> None:
    used = await replicas[0].calls_used()
    viewer = (await replicas[0].issue(role=Role.VIEWER)).text
    answer = await replicas[0].call("POST", "/keys", {"name": "x", "role": "viewer"}, token=viewer)
    assert answer.status_code == 403
    assert answer.headers["RateLimit"].startswith('"workspace";r=')
    assert await replicas[0].calls_used() == used + 2


async def test_a_key_s_list_of_workspaces_counts_for_its_own(replicas: list[Api]) -> None:
    used = await replicas[0].calls_used()
    answer = await replicas[0].request("GET", "/api/v1/workspaces")
    assert answer.headers["RateLimit"].startswith('"workspace";r=')
    assert await replicas[0].calls_used() == used + 2


async def test_a_user_s_list_of_workspaces_counts_for_none_and_is_bounded_all_the_same(replicas: list[Api]) -> None:
    api = replicas[0]
    api.given_members(a_workspace().with_member("owner", "User", "alice"))
    api.server.knows_user("a.l.ice", "alice")
    api.server.knows_user("b.o.b", "bob")
    used = await api.calls_used()
    for _ in range(20):
        assert (await api.request("GET", "/api/v1/workspaces", token="a.l.ice")).status_code == 200
    refused = await api.request("GET", "/api/v1/workspaces", token="a.l.ice")
    assert (refused.status_code, refused.json()["reason"]) == (429, "CallerLimit")
    assert refused.headers["Retry-After"] == "60"
    assert (await api.request("GET", "/api/v1/workspaces", token="b.o.b")).status_code == 200
    assert await api.calls_used() == used + 1


async def test_a_stream_is_one_call_however_long_it_lasts(world: World, replicas: list[Api]) -> None:
    api = replicas[0]
    await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))
    run = await world.admit()
    token = (await api.issue()).text
    used = await api.calls_used()
    async with serving(api) as url, reading(url, f"/runs/{run}/events", token) as stream:
        await world.succeed(run, "a")
        await stream.until("a/1 Succeeded")
        await world.succeed(run, "b")
        await stream.until("end RunEnded")
    assert await api.calls_used() == used + 2


async def test_credentials_that_are_not_good_are_not_looked_at_without_end(world: World) -> None:
    ticking = Ticking()
    strangers = Strangers(3, ticking)
    async with replica(world, world.engine, ApiServer(), ticking, strangers=strangers) as api:
        await api.get("/runs")
        for _ in range(3):
            assert (await api.call("GET", "/runs", token="a.b.c")).status_code == 401
        asked = api.server.asked
        answer = await api.call("GET", "/runs", token="d.e.f")
        assert (answer.status_code, answer.json()["reason"]) == (429, "CredentialLimit")
        assert answer.headers["Retry-After"] == "60"
        assert api.server.asked == asked
        # Who was known before goes on, from the same address.
        ticking.seconds += 30
        await api.get("/runs")
        ticking.seconds += 31
        assert (await api.call("GET", "/runs", token="d.e.f")).status_code == 401


async def test_what_was_refused_is_counted_by_limit_alone(world: World, replicas: list[Api]) -> None:
    await world.given_workspace(max_api_calls_per_hour=0)
    await replicas[0].call("GET", "/runs")
    registry = replicas[0].registry
    assert registry.get_sample_value("headgate_gateway_calls_refused_total", {"limit": "workspace"}) == 1
    assert registry.get_sample_value("headgate_gateway_calls_total", {"by": "postgres"}) == 1
    assert registry.get_sample_value("headgate_redis_up") is None
