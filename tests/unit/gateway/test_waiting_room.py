"""Waiting for something to do."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from headgate.domain.runner_task import RunnerTask
from headgate.domain.task import TaskRef
from headgate.engine.starting.handing import Waiter
from headgate.engine.steps.going_on import Claimant
from headgate.gateway.waiting_room import WaitingRoom
from tests.support.waiting import eventually
from tests.unit.cluster.virtual_time import in_virtual_time

CALLS = ("http", "sql")
ALL = ("http", "sql", "script", "connector")
Answer = asyncio.Task[RunnerTask | None]


def thing(name: str) -> RunnerTask:
    ref = TaskRef(UUID(int=1), UUID(int=2), name, 1)
    return RunnerTask(ref, "acme", "acme", "nightly", {"http": {}}, datetime(2026, 3, 10, tzinfo=UTC))


@dataclass
class Seeking:
    """A request of a runner."""

    desk: Desk
    claimant: Claimant

    async def look(self) -> RunnerTask | None:
        self.desk.looks += 1
        await asyncio.sleep(0)
        return thing(self.desk.things.pop()) if self.desk.things else None

    async def gone(self) -> bool:
        return self.desk.left

    async def give_back(self, task: RunnerTask) -> None:
        self.desk.given_back.append(task.ref.node)
        if self.desk.broken:
            raise self.desk.broken


@dataclass
class Desk:
    """Requests that wait, and what there is for them."""

    room: WaitingRoom = field(default_factory=lambda: WaitingRoom(net_seconds=1000))
    things: list[str] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)
    looks: int = 0
    left: bool = False
    broken: Exception | None = None

    def wait(self, *kinds: str, namespace: str = "acme", seconds: float = 1001) -> Answer:
        claimant = Claimant("pod-1", namespace, timedelta(seconds=15), kinds=kinds)
        return asyncio.create_task(self.room.first("acme", Seeking(self, claimant), seconds))

    def choose(self, *wanted: str, among: Collection[str] = ALL, namespace: str = "acme") -> Waiter | None:
        return self.room.of("acme").choose(namespace, wanted, among)

    def chosen(self, *wanted: str) -> Waiter:
        waiter = self.choose(*wanted)
        assert waiter is not None
        return waiter

    async def looked(self, times: int) -> None:
        async def so_often() -> bool:
            return self.looks >= times

        await eventually(so_often, every=0.001)

    async def resting(self, *kinds: str, namespace: str = "acme") -> Answer:
        """A request whose look found nothing, or that need not look."""
        answer = self.wait(*kinds, namespace=namespace)
        await settled()
        return answer


async def settled() -> None:
    """Let everything go as far as it does by itself."""
    for _ in range(10):
        await asyncio.sleep(0)


async def ends(answer: Answer) -> str | None:
    """The name of what is answered."""
    task = await asyncio.wait_for(answer, 5)
    return task.ref.node if task is not None else None


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_what_is_there_is_given_at_once(desk: Desk) -> None:
    desk.things.append("a")

    assert await ends(desk.wait("script")) == "a"


async def test_one_is_woken_for_each_thing_and_only_who_waits_for_its_kind(desk: Desk) -> None:
    waiting = [await desk.resting(*CALLS), await desk.resting(*CALLS), await desk.resting("script")]
    before = desk.looks
    desk.things.append("a")

    assert desk.room.ring("acme", ["http"])
    assert await ends(waiting[0]) == "a"

    await settled()
    assert [task.done() for task in waiting] == [True, False, False]
    assert desk.looks == before + 1
    for task in waiting:
        task.cancel()


async def test_who_is_not_served_here_is_told_of(desk: Desk) -> None:
    assert not desk.room.ring("acme", ["http"])
    waiting = desk.wait("script")
    await desk.looked(1)

    assert not desk.room.ring("acme", ["http"])
    assert not desk.room.ring("acme", ["script", "script"])
    await desk.looked(2)
    waiting.cancel()


async def test_nothing_is_looked_for_for_who_has_gone_and_the_next_is_woken(desk: Desk) -> None:
    waiting = [await desk.resting("script"), await desk.resting("script")]
    before, desk.left = desk.looks, True

    desk.room.ring("acme", ["script"])

    assert await asyncio.gather(*waiting) == [None, None]
    assert desk.looks == before


async def test_the_answer_comes_in_time_where_there_is_nothing(desk: Desk) -> None:
    assert await ends(desk.wait("script", seconds=0)) is None


class TestWhoComesWhereNothingWasFound:
    async def test_does_not_look_at_once_and_is_woken_all_the_same(self, desk: Desk) -> None:
        first = await desk.resting("script")
        second = await desk.resting("script")
        assert desk.looks == 1
        desk.things += ["b", "a"]

        desk.room.ring("acme", ["script", "script"])

        assert [await ends(first), await ends(second)] == ["a", "b"]

    async def test_does_so_though_nobody_is_there_any_more(self, desk: Desk) -> None:
        first = await desk.resting("http")
        desk.chosen("http").give(thing("a"))
        assert await ends(first) == "a"

        second = await desk.resting("http")

        assert desk.looks == 1
        second.cancel()

    async def test_looks_where_somebody_rang_meanwhile(self, desk: Desk) -> None:
        first = await desk.resting("http")
        desk.chosen("http").give(thing("a"))
        await ends(first)
        desk.things.append("b")

        assert not desk.room.ring("acme", ["http"])

        assert await ends(desk.wait("http")) == "b"

    async def test_looks_where_somebody_rang_while_nothing_was_found(self, desk: Desk) -> None:
        first = desk.wait("http")
        await asyncio.sleep(0)
        assert desk.looks == 1
        desk.room.ring("acme", ["http"])
        await settled()
        assert desk.looks == 2
        first.cancel()

    async def test_looks_where_what_was_found_after_a_ring_may_not_be_all(self, desk: Desk) -> None:
        first = desk.wait("http")
        await asyncio.sleep(0)
        assert not desk.room.ring("acme", ["http", "http"])
        await asyncio.sleep(0)
        desk.things += ["b", "a"]
        assert await ends(first) == "a"

        assert await ends(await desk.resting("http")) == "b"

    async def test_looks_where_the_time_to_the_next_look_is_longer_than_it_waits(self, desk: Desk) -> None:
        first = await desk.resting("http")
        desk.things.append("a")

        assert await ends(desk.wait("http", seconds=1)) == "a"
        first.cancel()

    async def test_looks_for_what_was_not_looked_for(self, desk: Desk) -> None:
        first = await desk.resting("http")
        others = [await desk.resting("sql"), await desk.resting("http", namespace="other")]
        assert desk.looks == 3
        for task in (first, *others):
            task.cancel()

    @in_virtual_time
    async def test_looks_as_soon_as_the_other_one_would_have(self) -> None:
        desk = Desk(WaitingRoom(net_seconds=10))
        await desk.resting("http")
        await asyncio.sleep(6)
        await desk.resting("http")
        await asyncio.sleep(3)
        assert desk.looks == 1

        await asyncio.sleep(1)
        await settled()

        assert desk.looks == 3


class TestWhatIsHanded:
    async def test_is_the_answer_without_a_look(self, desk: Desk) -> None:
        waiting = await desk.resting("http")

        desk.chosen("http").give(thing("a"))

        assert await ends(waiting) == "a"
        assert (desk.looks, desk.given_back) == (1, [])

    async def test_is_for_who_waits_longest(self, desk: Desk) -> None:
        waiting = [await desk.resting("http"), await desk.resting(*CALLS), await desk.resting("http")]

        for name in ("a", "b", "c"):
            desk.chosen("http").give(thing(name))

        assert [await ends(each) for each in waiting] == ["a", "b", "c"]

    async def test_is_for_nobody_who_is_kept_or_rung_or_has_something(self, desk: Desk) -> None:
        waiting = [await desk.resting("http") for _ in range(3)]
        kept = desk.chosen("http")
        desk.chosen("http").give(thing("b"))
        desk.room.ring("acme", ["http"])

        assert desk.choose("http") is None
        assert desk.room.of("acme").kinds("acme", ALL) == frozenset()

        kept.let_go()
        for task in waiting:
            task.cancel()

    async def test_is_for_nobody_who_looks(self, desk: Desk) -> None:
        waiting = desk.wait("http")
        await asyncio.sleep(0)
        assert desk.looks == 1

        assert desk.choose("http") is None

        waiting.cancel()

    async def test_is_for_nobody_of_another_namespace_or_with_room_for_other_kinds(self, desk: Desk) -> None:
        waiting = await desk.resting(*CALLS)

        assert desk.choose("http", namespace="other") is None
        assert desk.choose("script") is None
        assert desk.choose("http", among=["http"]) is None
        assert desk.room.of("acme").kinds("acme", ALL) == frozenset(CALLS)
        assert desk.room.of("acme").kinds("acme", ["script"]) == frozenset()
        assert desk.room.of("acme").kinds("other", ALL) == frozenset()

        waiting.cancel()

    async def test_is_given_back_where_the_request_is_gone(self, desk: Desk) -> None:
        waiting = await desk.resting("http")
        desk.left = True

        desk.chosen("http").give(thing("a"))

        assert await ends(waiting) is None
        await settled()
        assert desk.given_back == ["a"]

    async def test_is_given_back_where_the_request_was_ended_meanwhile(self, desk: Desk) -> None:
        waiting = await desk.resting("http")
        kept = desk.chosen("http")
        waiting.cancel()
        await settled()

        kept.give(thing("a"))

        await settled()
        assert desk.given_back == ["a"]

    async def test_is_given_back_where_the_request_was_ended_before_it_took_it(self, desk: Desk) -> None:
        waiting = await desk.resting("http")

        desk.chosen("http").give(thing("a"))
        waiting.cancel()

        await settled()
        assert desk.given_back == ["a"]

    @in_virtual_time
    async def test_is_given_back_where_the_time_of_the_request_was_over(self) -> None:
        desk = Desk(WaitingRoom(net_seconds=1))
        waiting = desk.wait("http", seconds=4)
        await settled()
        kept = desk.chosen("http")
        assert await ends(waiting) is None

        kept.give(thing("a"))

        await settled()
        assert (desk.given_back, desk.looks) == (["a"], 1)

    async def test_is_lost_to_nobody_where_giving_it_back_fails(self, desk: Desk) -> None:
        desk.left, desk.broken = True, RuntimeError("Postgres is gone")
        waiting = await desk.resting("http")

        desk.chosen("http").give(thing("a"))

        assert await ends(waiting) is None
        await settled()
        assert desk.given_back == ["a"]


class TestWhoWasKeptForNothing:
    async def test_goes_on_waiting(self, desk: Desk) -> None:
        waiting = await desk.resting("http")

        desk.chosen("http").let_go()
        await settled()
        assert (desk.looks, waiting.done()) == (1, False)

        desk.chosen("http").give(thing("a"))
        assert await ends(waiting) == "a"

    async def test_looks_where_somebody_rang_meanwhile(self, desk: Desk) -> None:
        waiting = await desk.resting("http")
        kept = desk.chosen("http")
        desk.things.append("a")

        assert not desk.room.ring("acme", ["http"])
        await settled()
        assert desk.looks == 1

        kept.let_go()
        assert await ends(waiting) == "a"

    @in_virtual_time
    async def test_looks_where_it_would_have_looked_meanwhile(self) -> None:
        desk = Desk(WaitingRoom(net_seconds=2))
        waiting = await desk.resting("http")
        kept = desk.chosen("http")
        await asyncio.sleep(3)
        assert desk.looks == 1

        desk.things.append("a")
        kept.let_go()

        assert await ends(waiting) == "a"

    async def test_goes_on_waiting_where_nobody_can_tell_and_that_is_given_back(self, desk: Desk) -> None:
        waiting = await desk.resting("http")

        desk.chosen("http").doubt(thing("a"))

        await settled()
        assert (desk.given_back, waiting.done()) == (["a"], False)
        waiting.cancel()


class TestARing:
    async def test_wakes_somebody_else_than_who_is_kept(self, desk: Desk) -> None:
        waiting = [await desk.resting("http"), await desk.resting("http")]
        kept = desk.chosen("http")
        desk.things.append("a")

        assert desk.room.ring("acme", ["http"])

        assert await ends(waiting[1]) == "a"
        kept.give(thing("b"))
        assert await ends(waiting[0]) == "b"

    async def test_is_passed_on_by_who_was_kept_and_goes_with_something_else(self, desk: Desk) -> None:
        first = await desk.resting("http")
        kept = desk.chosen("http")
        desk.things.append("a")
        assert not desk.room.ring("acme", ["http"])
        second = desk.wait("http")

        assert await ends(second) == "a"
        kept.give(thing("b"))
        assert await ends(first) == "b"

    async def test_is_passed_on_to_who_came_later_and_found_nothing(self, desk: Desk) -> None:
        await desk.resting("http")
        kept = desk.chosen("http")
        assert not desk.room.ring("acme", ["http"])
        second = await desk.resting("http")
        desk.things.append("a")

        kept.give(thing("b"))

        assert await ends(second) == "a"

    async def test_is_for_the_next_where_it_came_after_something_was_handed(self, desk: Desk) -> None:
        waiting = [await desk.resting("http"), await desk.resting("http")]
        desk.chosen("http").give(thing("b"))
        desk.things.append("a")

        assert desk.room.ring("acme", ["http"])

        assert [await ends(each) for each in waiting] == ["b", "a"]


async def test_nothing_is_kept_of_who_is_gone() -> None:
    desk = Desk(WaitingRoom(net_seconds=0))
    await ends(desk.wait("http", seconds=0))

    assert not desk.room._groups
