"""Events of runs through the API: each change once, in order, from wherever somebody stopped."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from httpx import Response

from headgate.engine.engine import Engine
from headgate.gateway.callers import BELIEVED_SECONDS
from headgate.store.database import Database
from tests.builders import a_workflow
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.streaming import Event, events_of, reading, serving
from tests.component.world import World, one_node
from tests.support.databases import TestDatabase
from tests.support.waiting import eventually

BEGUN, DONE = {"Running", "work/1 Queued"}, {"work/1 Succeeded", "Succeeded"}
"""What the run's two transactions change, each all at once."""


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with serving(api) as url:
        yield url


async def told(api: Api, run: UUID, **headers: str) -> list[Event]:
    """All that is told of a run that is over."""
    answer = await api.call("GET", f"/runs/{run}/events", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events_of(answer.text)


async def one_that_is_over(world: World) -> UUID:
    """A run all of whose changes are told to whoever asks: no other transaction of the server holds them back."""
    await world.given(one_node())
    run = await world.admit()
    await world.succeed(run)
    await eventually(lambda: all_can_be_told(world), every=0.02, what="the end of what began before the run's end")
    return run


async def all_can_be_told(world: World) -> bool:
    # Whatever is under way on the server holds changes back, also what it does by itself, such as to analyze a table.
    [row] = await world.rows(
        "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) > max(transaction_id) AS can_be"
        " FROM headgate.run_changes"
    )
    return bool(row["can_be"])


def sample(api: Api, name: str, **labels: str) -> float:
    return api.registry.get_sample_value(name, labels) or 0.0


class TestOneRun:
    async def test_each_change_is_told_once_and_in_order_and_then_it_ends(self, world: World, api: Api) -> None:
        run = await one_that_is_over(world)

        events = await told(api, run)

        briefs = [event.brief for event in events]
        assert (briefs[0], set(briefs[1:3]), set(briefs[3:5]), briefs[5:]) == ("open", BEGUN, DONE, ["end RunEnded"])
        assert {event.data["runId"] for event in events if event.name in ("run", "step")} == {str(run)}

    async def test_from_wherever_somebody_stopped_it_goes_on_without_a_gap_or_a_double(
        self, world: World, api: Api
    ) -> None:
        run = await one_that_is_over(world)
        events = [event for event in await told(api, run) if event.id is not None]

        for number, event in enumerate(events[:-1], 1):
            assert [*events[number:]] == [
                item for item in await told(api, run, **{"Last-Event-ID": event.id or ""}) if item.id
            ]

        async def nothing() -> Response | None:
            answer = await api.call("GET", f"/runs/{run}/events", headers={"Last-Event-ID": events[-1].id})
            return answer if answer.status_code == 204 else None

        # What is under way on the server at the moment, whatever it is, might have something to tell.
        assert (await eventually(nothing, what="an answer that there is nothing more")).content == b""

    async def test_a_run_that_was_retried_is_told_of_from_its_beginning(self, world: World, api: Api) -> None:
        await world.given(one_node())
        run = await world.admit()
        await world.fail(run)
        await api.post(f"/runs/{run}/retry")
        await world.succeed(run, attempt=2)

        briefs = [event.brief for event in await told(api, run) if event.name == "run"]
        assert briefs == ["Running", "Failed", "Pending", "Running", "Succeeded"]

    async def test_what_it_waits_for_and_that_its_log_is_kept_are_changes(self, world: World, api: Api) -> None:
        await world.given(one_node())
        run = await world.admit()
        await api.post(f"/runs/{run}/suspend")
        await api.post(f"/runs/{run}/resume")
        await world.engine.logs.record(world.ref(run, "work"), None, 0, truncated=False)
        await world.succeed(run)

        briefs = [event.brief for event in await told(api, run)]
        assert "Suspended" in briefs
        assert "work/1 Queued log" in briefs

    async def test_it_comes_as_it_happens(self, world: World, api: Api, url: str) -> None:
        await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))
        run = await world.admit()
        token = (await api.issue()).text

        async with reading(url, f"/runs/{run}/events", token) as stream:
            assert (await stream.next()).name == "open"
            assert {(await stream.next()).brief for _ in range(2)} == {"Running", "a/1 Queued"}
            await world.succeed(run, "a")
            assert {(await stream.next()).brief for _ in range(2)} == {"a/1 Succeeded", "b/1 Queued"}
            await world.succeed(run, "b")
            assert {event.brief for event in await stream.until("end RunEnded")} >= {"b/1 Succeeded", "Succeeded"}
            assert await stream.has_ended()


class TestAWorkspace:
    async def test_it_begins_with_now_and_can_be_gone_on_with_though_nothing_happened(
        self, world: World, api: Api, url: str
    ) -> None:
        await one_that_is_over(world)
        token = (await api.issue()).text

        async with reading(url, "/events", token) as stream:
            opened = await stream.next()
        run = await world.admit()
        async with reading(url, "/events", token, after=opened.id) as stream:
            following = [await stream.next() for _ in range(3)]

        assert opened.name == "open"
        assert {event.brief for event in following} == {"open", *BEGUN}
        assert {event.data.get("runId", str(run)) for event in following} == {str(run)}

    async def test_another_workspaces_changes_are_not_told(self, world: World, api: Api, url: str) -> None:
        await world.given_workspace("other")
        for workspace in ("acme", "other"):
            await world.given(one_node(), workspace)
        token = (await api.issue()).text

        async with reading(url, "/events", token) as stream:
            await stream.next()
            theirs = await world.admit(workspace="other")
            ours = await world.admit()
            events = [await stream.next() for _ in range(2)]

        assert {event.data["runId"] for event in events} == {str(ours)}
        assert (await api.call("GET", f"/runs/{theirs}/events")).status_code == 404

    async def test_it_tells_that_changes_are_missing_and_goes_on_with_what_is_kept(
        self, world: World, api: Api
    ) -> None:
        await one_that_is_over(world)
        api.streams.close()
        now = int(time.time())
        for position in (f"1-0-{now - 90_000}", f"999999999999-0-{now}"):
            answer = await api.call("GET", "/events", headers={"Last-Event-ID": position})

            briefs = [event.brief for event in events_of(answer.text)]
            assert (briefs[:2], set(briefs[2:])) == (["open", "lost"], BEGUN | DONE), position

    @pytest.mark.parametrize("position", ["x", "1-2", "1-2-3-4", "-1-2-3", "9" * 40, "1-2-3\t"])
    async def test_what_is_no_position_is_refused(self, api: Api, position: str) -> None:
        assert (await api.call("GET", "/events", headers={"Last-Event-ID": position})).status_code == 422


class TestEnding:
    async def test_a_revoked_key_ends_its_stream_and_no_other(self, world: World, api: Api, url: str) -> None:
        await world.given(one_node())
        revoked, good = await api.issue(), await api.issue()

        async with reading(url, "/events", revoked.text) as one, reading(url, "/events", good.text) as other:
            await one.next()
            await other.next()
            await api.call("DELETE", f"/keys/{revoked.view.id}")
            api.ticking.seconds += BELIEVED_SECONDS
            assert (await one.next(within=60)).brief == "end AccessEnded"
            assert await one.has_ended()
            await world.admit()
            assert {(await other.next()).brief for _ in range(2)} == BEGUN
        assert sample(api, "headgate_gateway_streams_ended_total", reason="refused") == 1

    async def test_who_goes_gives_their_place_back(self, api: Api, url: str) -> None:
        token = (await api.issue()).text
        async with reading(url, "/events", token) as stream:
            await stream.next()
            assert sample(api, "headgate_gateway_streams") == 1

        async def given_back() -> bool:
            return sample(api, "headgate_gateway_streams") == 0

        await eventually(given_back, every=0.02)
        assert sample(api, "headgate_gateway_streams_ended_total", reason="gone") == 1

    async def test_all_end_with_the_process(self, api: Api, url: str) -> None:
        async with reading(url, "/events", (await api.issue()).text) as stream:
            await stream.next()
            api.streams.close()
            assert await stream.has_ended()


class TestBounds:
    async def test_a_workspace_has_its_share_of_streams_and_all_have_the_replicas(self, api: Api) -> None:
        other = await api.world.given_workspace("other")
        await api.world.given_workspace("third")
        third = (await api.issue("third")).text
        places = [api.streams.take_place(api.world.ids["acme"]) for _ in range(10)]

        refused = await api.call("GET", "/events")
        assert (refused.status_code, refused.json()["reason"]) == (429, "TooManyStreams")
        assert refused.headers["retry-after"]
        places += [api.streams.take_place(other) for _ in range(10)]
        assert (await api.call("GET", "/events", token=third, workspace="third")).status_code == 503
        for place in places:
            place.leave()
        api.streams.close()
        assert (await api.call("GET", "/events")).status_code == 200

    async def test_streams_hold_no_connection_to_postgres(self, world: World, fresh: TestDatabase) -> None:
        single = Database(fresh.url, pool_size=1)
        engine = Engine(single, world.expressions, clock=world.clock)
        async with replica(world, engine, ApiServer(), Ticking()) as api, serving(api) as url:
            token = (await api.issue()).text
            async with reading(url, "/events", token) as one, reading(url, "/events", token) as other:
                await one.next()
                await other.next()
                assert (await api.get("/runs"))["items"] == []
                await world.given(one_node())
                await world.admit()
                assert {(await stream.next()).brief for stream in (one, other) for _ in range(2)} == BEGUN
        await single.close()


async def test_an_open_stream_costs_nothing_but_one_look_of_the_replica(world: World, api: Api, url: str) -> None:
    looks: list[Any] = []
    news = world.engine.changes.news

    async def counting(workspaces: Any, since: int) -> Any:
        looks.append(tuple(workspaces))
        return await news(workspaces, since)

    world.engine.changes.news = counting  # type: ignore[method-assign]
    token = (await api.issue()).text
    async with reading(url, "/events", token) as one, reading(url, "/events", token) as other:
        await one.next()
        await other.next()

        async def looked() -> bool:
            return len(looks) >= 3

        await eventually(looked, every=0.02)
    assert set(looks) == {(world.ids["acme"],)}
