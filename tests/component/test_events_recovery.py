"""Ends of runs that are acted on by replicas that fail and die: each is, and once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from headgate.engine.triggers import endings as acts
from headgate.store.errors import DatabaseUnavailable
from tests.component.listeners import after, endings, runs_of
from tests.component.world import World, chain, one_node


async def test_what_was_done_before_a_crash_is_not_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    await world.given(after("nightly", "other"))
    await world.succeed(await world.admit())
    admit = world.engine.admit
    admitted: list[Any] = []

    async def dies_after_the_first(request: Any) -> Any:
        if admitted:
            raise DatabaseUnavailable("gone")
        admitted.append(request)
        return await admit(request)

    monkeypatch.setattr(world.engine, "admit", dies_after_the_first)
    with pytest.raises(DatabaseUnavailable):
        await chain(world)
    assert len(await endings(world)) == 1

    another = world.another_engine()
    assert (await another.chain_runs(world.clock.advance(seconds=1))).effects.runs == frozenset()
    await another.chain_runs(world.clock.advance(seconds=31))

    assert [len(await runs_of(world, name)) for name in ("report", "other")] == [1, 1]
    assert await endings(world) == []


async def test_what_fails_is_tried_again_ever_later_and_holds_up_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    broken, good = await world.admit(), await world.admit()
    await world.succeed(broken)
    await world.succeed(good)
    admit = world.engine.admit

    async def breaks(request: Any) -> Any:
        if str(broken) in request.key:
            raise ValueError("broken")
        return await admit(request)

    with monkeypatch.context() as patched:
        patched.setattr(world.engine, "admit", breaks)
        await chain(world)
        assert len(await runs_of(world, "report")) == 1
        world.clock.advance(seconds=1)
        await chain(world)
    [left] = await endings(world)
    assert (left["run_id"], left["failures"]) == (broken, 2)
    assert (left["due_at"] - world.clock.now).total_seconds() == 2

    world.clock.advance(seconds=2)
    await chain(world)

    assert len(await runs_of(world, "report")) == 2
    assert await endings(world) == []


async def test_who_dies_again_and_again_in_the_middle_gets_through_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    for _ in range(25):
        await world.succeed(await world.admit())
    act = acts.act

    lives = 0
    while await endings(world):
        lives += 1
        assert lives <= 15, f"{len(await endings(world))} are left of 25"
        done = 0

        async def dies_at_the_third(*arguments: Any) -> Any:
            nonlocal done
            done += 1
            if done > 2:
                raise DatabaseUnavailable("killed")
            return await act(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr("headgate.engine.triggers.endings.act", dies_at_the_third)
            with suppress(DatabaseUnavailable):
                await chain(world)
        world.clock.advance(seconds=10)

    assert len(await runs_of(world, "report")) == 25


async def test_who_begins_to_lead_need_not_wait_for_the_endings_of_whom_it_follows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.given(one_node())
    await world.given(after("nightly"))
    await world.succeed(await world.admit())

    async def dies(*_: Any) -> Any:
        raise DatabaseUnavailable("killed")

    with monkeypatch.context() as patched:
        patched.setattr("headgate.engine.triggers.endings.act", dies)
        with suppress(DatabaseUnavailable):
            await chain(world)
    await chain(world)
    assert await runs_of(world, "report") == []

    assert await world.engine.take_over_chaining(world.clock.now) == 1

    await chain(world)
    assert len(await runs_of(world, "report")) == 1
    assert await world.engine.take_over_chaining(world.clock.now) == 0
