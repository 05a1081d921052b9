"""Waiting for something to do."""

from __future__ import annotations

import asyncio

from headgate.gateway.waiting_room import WaitingRoom
from tests.support.waiting import eventually

CALLS = ("http", "sql")


class Desk:
    """Requests that wait, and what there is for them."""

    def __init__(self) -> None:
        self.room = WaitingRoom(net_seconds=1000)
        self.things: list[str] = []
        self.looks = 0
        self.left = False

    async def _look(self) -> str | None:
        self.looks += 1
        return self.things.pop() if self.things else None

    async def _gone(self) -> bool:
        return self.left

    def wait(self, *kinds: str, namespace: str = "acme", seconds: float = 1000) -> asyncio.Task[str | None]:
        first = self.room.first("acme", namespace, kinds, self._look, seconds, self._gone)
        return asyncio.create_task(first)

    async def looked(self, times: int) -> None:
        async def so_often() -> bool:
            return self.looks >= times

        await eventually(so_often, every=0.001)


async def test_what_is_there_is_given_at_once() -> None:
    desk = Desk()
    desk.things.append("a")

    assert await desk.wait("script") == "a"


async def test_one_is_woken_for_each_thing_and_only_who_waits_for_its_kind() -> None:
    desk = Desk()
    waiting = [desk.wait(*CALLS), desk.wait(*CALLS), desk.wait("script")]
    await desk.looked(3)
    desk.things.append("a")

    assert desk.room.ring("acme", ["http"])
    done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    assert (done, [task.result() for task in done]) == ({waiting[0]}, ["a"])
    assert desk.looks == 4
    for task in rest:
        task.cancel()


async def test_who_is_not_served_here_is_told_of() -> None:
    desk = Desk()
    assert not desk.room.ring("acme", ["http"])
    waiting = desk.wait("script")
    await desk.looked(1)

    assert not desk.room.ring("acme", ["http"])
    assert not desk.room.ring("acme", ["script", "script"])
    await desk.looked(2)
    waiting.cancel()


async def test_nothing_is_looked_for_for_who_has_gone_and_the_next_is_woken() -> None:
    desk = Desk()
    waiting = [desk.wait("script"), desk.wait("script")]
    await desk.looked(2)
    desk.left = True

    desk.room.ring("acme", ["script"])

    assert await asyncio.gather(*waiting) == [None, None]
    assert desk.looks == 2


async def test_the_answer_comes_in_time_where_there_is_nothing() -> None:
    assert await Desk().wait("script", seconds=0) is None
