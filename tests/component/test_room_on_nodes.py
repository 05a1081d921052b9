"""While many pods of a workspace find no room on the nodes, its other attempts wait in the queue."""

from __future__ import annotations

from uuid import UUID

import pytest

from headgate.domain.task import ClaimTerms, Waiting
from headgate.store.claims import STUCK_AFTER
from tests.component.world import World, one_node

NO_ROOM = Waiting("Unschedulable", "0/1 nodes are available: 1 Too many pods.", "work")
MOST = 3


async def claimed(world: World, limit: int = 50) -> list[UUID]:
    """The runs whose attempts a claim gives that lets three pods of a workspace find no room; their Jobs exist then."""
    given = await world.engine.claim_jobs(ClaimTerms("operator-0", limit, unscheduled=MOST), world.clock.now)
    await world.engine.record_jobs((task.ref, str(task.ref.run_id)) for task in given.tasks)
    return [task.ref.run_id for task in given.tasks]


async def find_no_room(world: World, runs: list[UUID], waiting: Waiting = NO_ROOM) -> None:
    for run in runs:
        await world.engine.record_waiting(world.ref(run, "work"), waiting)


async def given_runs(world: World, count: int, workspace: str = "acme") -> list[UUID]:
    await world.given_workspace(workspace, max_concurrent_runs=100)
    await world.given(one_node(), workspace)
    return [await world.admit(workspace=workspace) for _ in range(count)]


async def test_no_more_attempts_are_claimed_than_may_find_no_room(world: World) -> None:
    runs = await given_runs(world, 8)
    first = await claimed(world, limit=2)
    await find_no_room(world, first)

    assert (await claimed(world), first) == (runs[2:3], runs[:2])

    await find_no_room(world, runs[2:3])
    assert await claimed(world) == []


async def test_as_many_follow_as_have_found_a_node(world: World) -> None:
    runs = await given_runs(world, 8)
    await find_no_room(world, await claimed(world, limit=MOST))

    await world.engine.mark_running(world.ref(runs[0], "work"), world.clock.now)
    await world.engine.record_waiting(world.ref(runs[1], "work"), None)

    assert await claimed(world) == runs[3:5]


async def test_another_workspace_is_not_held_back(world: World) -> None:
    await given_runs(world, 8)
    await find_no_room(world, await claimed(world, limit=MOST))

    quiet = await given_runs(world, 2, "quiet")

    assert await claimed(world) == quiet


async def test_what_waits_for_something_else_holds_nothing_back(world: World) -> None:
    runs = await given_runs(world, 8)
    await find_no_room(world, await claimed(world, limit=MOST), Waiting("ImagePull", "no such image", "work"))

    assert await claimed(world) + await claimed(world) == runs[MOST:]


async def test_what_finds_no_room_for_long_holds_nothing_back(world: World) -> None:
    runs = await given_runs(world, 8)
    await find_no_room(world, await claimed(world, limit=MOST))
    world.clock.advance(seconds=STUCK_AFTER.total_seconds() - 1)
    await find_no_room(world, runs[:MOST], Waiting("Unschedulable", "0/2 nodes are available", "work"))
    assert await claimed(world) == []

    world.clock.advance(seconds=1)

    assert await claimed(world) == runs[MOST : 2 * MOST]


async def test_a_run_that_is_held_back_says_why(world: World) -> None:
    runs = await given_runs(world, 8)
    assert (await world.view(runs[-1])).waiting == ()
    await find_no_room(world, await claimed(world, limit=MOST))

    (told,) = (await world.view(runs[-1])).waiting

    assert (told.reason, told.node) == ("Unschedulable", "work")
    assert told.message == f"earlier pods of the workspace find no room on the nodes: {NO_ROOM.message}"


@pytest.mark.parametrize("limit", [1, 50])
async def test_all_of_them_run_in_the_end(world: World, limit: int) -> None:
    runs = await given_runs(world, 8)
    done: list[UUID] = []
    for _ in range(len(runs)):
        begun = await claimed(world, limit)
        await find_no_room(world, begun)
        for run in begun:
            await world.succeed(run, "work")
        done += begun

    assert done == runs
