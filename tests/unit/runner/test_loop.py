"""Working off a run's attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from headgate.domain.runner_protocol import Kept, Kind, Result, Task
from headgate.runner.client import GatewayRefused, GatewayUnavailable, NotOurs
from headgate.runner.loop import Loop
from tests.support.waiting import eventually
from tests.unit.runner.tasks import RUN, a_task, script


@dataclass
class Attempts:
    """A gateway of lists: what is claimable, and what follows on what."""

    claimable: list[Task | Exception] = field(default_factory=list)
    following: dict[str, Task] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    """Those that are asked to end."""
    completed: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    beats: list[str] = field(default_factory=list)
    failures: int = 0

    async def claim(self, run_id: UUID) -> Task | None:
        assert run_id == RUN
        if not self.claimable:
            return None
        first = self.claimable.pop(0)
        if isinstance(first, Exception):
            raise first
        return first

    async def heartbeat(self, task: Task) -> Kept:
        self.beats.append(task.node)
        if task.node in self.lost:
            raise NotOurs("lost")
        return Kept(stop=task.node in self.stopped)

    async def complete(self, task: Task, result: Result, kinds: tuple[Kind, ...] = ()) -> Task | None:
        assert kinds == ()
        if self.failures:
            self.failures -= 1
            raise GatewayUnavailable("down")
        if task.node in self.lost:
            raise NotOurs("lost")
        self.completed.append(task.node)
        self.results.append(result)
        return self.following.get(task.node)


async def succeed(_task: Task) -> Result:
    return Result(succeeded=True)


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


def a_loop(attempts: Attempts, execute: Callable[[Task], Awaitable[Result]] = succeed, slots: int = 4) -> Loop:
    return Loop(attempts, execute, RUN, slots, idle_seconds=0, monotonic=asyncio.get_running_loop().time, sleep=no_time)


def named(node: str, lease: float = 15.0) -> Task:
    return a_task(script("true"), node, lease=lease)


async def test_it_goes_on_with_what_the_answer_holds_and_ends_when_there_is_nothing() -> None:
    attempts = Attempts([named("one")], {"one": named("two"), "two": named("three")})

    await a_loop(attempts).run()

    assert attempts.completed == ["one", "two", "three"]


async def test_several_run_at_the_same_time_and_no_more_than_there_are_slots() -> None:
    attempts = Attempts([named(f"n{i}") for i in range(5)])
    under_way, most = 0, 0
    release = asyncio.Event()

    async def execute(_task: Task) -> Result:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await release.wait()
        under_way -= 1
        return Result(succeeded=True)

    running = asyncio.create_task(a_loop(attempts, execute, slots=3).run())

    async def three() -> bool:
        return under_way == 3

    await eventually(three)
    release.set()
    await running
    assert most == 3
    assert sorted(attempts.completed) == ["n0", "n1", "n2", "n3", "n4"]


async def test_an_attempt_that_is_lost_is_given_up_and_the_others_go_on() -> None:
    attempts = Attempts([named("lost"), named("kept")], lost={"lost"})
    cancelled: list[str] = []

    async def execute(task: Task) -> Result:
        if task.node == "lost":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(task.node)
                raise
        return Result(succeeded=True)

    await a_loop(attempts, execute).run()

    assert cancelled == ["lost"]
    assert attempts.completed == ["kept"]


async def test_an_end_that_is_not_taken_is_no_failure_of_the_runner() -> None:
    attempts = Attempts([named("lost"), named("kept")], lost={"lost"})

    await a_loop(attempts).run()

    assert attempts.completed == ["kept"]


async def test_a_gateway_that_is_away_for_a_while_is_waited_for() -> None:
    attempts = Attempts([GatewayUnavailable("down"), GatewayUnavailable("down"), named("one")], failures=3)

    await a_loop(attempts).run()

    assert attempts.completed == ["one"]


async def test_a_gateway_that_stays_away_ends_the_runner() -> None:
    attempts = Attempts([named("one")], failures=10_000)

    with pytest.raises(GatewayUnavailable):
        await a_loop(attempts).run()


async def test_a_gateway_that_refuses_ends_the_runner_and_what_it_had_begun() -> None:
    attempts = Attempts([named("one"), GatewayRefused("no")])
    ended = asyncio.Event()

    async def execute(_task: Task) -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return Result(succeeded=True)

    with pytest.raises(GatewayRefused):
        await a_loop(attempts, execute).run()
    assert attempts.completed == []


async def test_heartbeats_go_on_as_long_as_the_attempt_does() -> None:
    attempts = Attempts([named("one")])

    async def five() -> bool:
        return len(attempts.beats) >= 5

    async def execute(_task: Task) -> Result:
        await eventually(five, every=0)
        return Result(succeeded=True)

    await a_loop(attempts, execute).run()

    assert attempts.completed == ["one"]


async def test_what_is_asked_to_end_takes_its_time_and_is_completed_as_cancelled() -> None:
    attempts = Attempts([named("one")], {"one": named("two")}, stopped={"one"})

    async def execute(task: Task) -> Result:
        if task.node == "one":
            try:
                await asyncio.Event().wait()
            finally:
                beats = len(attempts.beats)
                await eventually(lambda: _more(attempts, beats), every=0, what="heartbeats while it ends")
        return Result(succeeded=True)

    await a_loop(attempts, execute).run()

    assert [(result.succeeded, result.reason) for result in attempts.results] == [(False, "Cancelled"), (True, "")]


async def test_an_end_that_came_before_the_wish_for_it_stands() -> None:
    attempts = Attempts([named("one")], stopped={"one"}, failures=3)

    await a_loop(attempts).run()

    assert [result.succeeded for result in attempts.results] == [True]


async def test_a_runner_that_is_told_to_end_completes_nothing_and_waits_for_what_is_ending() -> None:
    attempts = Attempts([named("one")])
    begun, ended = asyncio.Event(), asyncio.Event()

    async def execute(_task: Task) -> Result:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            beats = len(attempts.beats)
            await eventually(lambda: _more(attempts, beats), every=0, what="heartbeats while it ends")
            ended.set()
        return Result(succeeded=True)

    running = asyncio.create_task(a_loop(attempts, execute).run())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert ended.is_set()
    assert attempts.completed == []


async def _more(attempts: Attempts, beats: int) -> bool:
    return len(attempts.beats) > beats
