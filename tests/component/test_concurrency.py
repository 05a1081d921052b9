"""Runs that wait for others of their workflow, or for a mutex, and nobody behind them who does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.api.debugging import RunMode
from headgate.api.workflow_run import RunPhase
from headgate.engine.engine import Engine
from headgate.engine.types import ExpressionError, Outcome, Waiting
from headgate.store.database import Database
from tests.builders import WorkflowBuilder
from tests.component.world import World, one_node
from tests.support.databases import TestDatabase

REQUESTS = 200
DONE = Outcome(True)


def limited(name: str = "nightly", **concurrency: Any) -> WorkflowBuilder:
    """A workflow of one container whose runs wait for each other."""
    return one_node(name).with_spec(concurrency=concurrency)


async def running(world: World, *runs: UUID) -> list[bool]:
    return [await world.phase(run) is RunPhase.RUNNING for run in runs]


async def waiting(world: World, run: UUID) -> Waiting:
    [waits] = (await world.view(run)).waiting
    return waits


@pytest.fixture
async def replicas(world: World, fresh: TestDatabase) -> AsyncIterator[list[Engine]]:
    """Two engines, each with connections of its own, as two operators have them."""
    databases = [Database(fresh.url, pool_size=10, pool_timeout=timedelta(seconds=60)) for _ in range(2)]
    yield [Engine(database, world.expressions, clock=world.clock) for database in databases]
    for database in databases:
        await database.close()


class TestManyAtOnce:
    @pytest.mark.parametrize(("concurrency", "room"), [({"limit": 5}, 5), ({"mutex": "deploy"}, 1)], ids=str)
    async def test_exactly_as_many_start_as_there_is_room_for(
        self, world: World, replicas: list[Engine], concurrency: dict[str, Any], room: int
    ) -> None:
        await world.given_workspace(max_concurrent_runs=1_000)
        await world.given(limited(**concurrency))
        requests = [world.request() for _ in range(REQUESTS)]

        await asyncio.gather(*(replicas[n % 2].admit(request) for n, request in enumerate(requests)))

        usage = await world.usage()
        assert (usage["running"], usage["queued"]) == (room, 0)
        rows = await world.rows("SELECT status FROM headgate.workflow_executions WHERE running_since IS NOT NULL")
        assert [row["status"] for row in rows] == ["Running"] * room
        assert len(await world.rows("SELECT FROM headgate.workflow_executions")) == REQUESTS

    async def test_one_after_the_other_has_the_mutex_when_all_end_and_start_at_once(
        self, world: World, replicas: list[Engine]
    ) -> None:
        await world.given_workspace(max_concurrent_runs=1_000)
        await world.given(limited(mutex="deploy"))
        runs = [await world.admit() for _ in range(8)]
        order: list[UUID] = []
        while len(order) < len(runs):
            under_way = [run for run in runs if await world.phase(run) is RunPhase.RUNNING]
            assert len(under_way) == 1, "nobody, or more than one, has the mutex"
            order += under_way
            await asyncio.gather(
                *(engine.complete(world.ref(under_way[0], "work"), DONE) for engine in replicas),
                *(engine.start_pending(world.ids["acme"]) for engine in replicas),
            )

        assert order == runs


class TestMutex:
    async def test_a_run_that_waits_says_which_run_holds_the_mutex_and_starts_when_that_one_ends(
        self, world: World
    ) -> None:
        await world.given(limited(mutex="deploy"))
        holder, second = await world.admit(resource="nightly-1"), await world.admit()
        waits = await waiting(world, second)
        assert (waits.reason, waits.node) == ("Mutex", None)
        assert f"run {holder} (WorkflowRun nightly-1) of workflow nightly" in waits.message
        assert "'deploy'" in waits.message

        effects = await world.succeed(holder)

        assert await running(world, second) == [True]
        assert effects.tasks_queued

    async def test_those_who_go_on_waiting_hear_who_holds_it_now(self, world: World) -> None:
        await world.given(limited(mutex="deploy"))
        first, second, third = [await world.admit() for _ in range(3)]

        effects = await world.succeed(first)

        assert effects.runs == {first, second, third}
        assert f"run {second} of" in (await waiting(world, third)).message

    async def test_it_is_one_for_all_workflows_of_a_workspace_and_none_of_another_workspaces(
        self, world: World
    ) -> None:
        await world.given_workspace("other")
        await world.given(limited("a", mutex="deploy"))
        await world.given(limited("b", mutex="deploy"))
        await world.given(limited("a", mutex="deploy"), "other")
        await world.admit("a")

        assert await running(world, await world.admit("b")) == [False]
        elsewhere = await world.admit("a", "other")
        assert await world.phase(elsewhere, "other") is RunPhase.RUNNING

    async def test_it_is_made_of_the_inputs(self, world: World) -> None:
        world.expressions.values["inputs.env"] = lambda variables: variables["inputs"]["env"]
        await world.given(limited(mutex="deploy-${{ inputs.env }}").with_input("env"))
        staging = await world.admit(inputs={"env": "staging"})
        production = await world.admit(inputs={"env": "production"})
        again = await world.admit(inputs={"env": "staging"})

        assert await running(world, staging, production, again) == [True, True, False]
        assert "'deploy-staging'" in (await waiting(world, again)).message

    async def test_one_that_comes_out_empty_is_none(self, world: World) -> None:
        world.expressions.values["inputs.lock"] = ""
        await world.given(limited(mutex="${{ inputs.lock }}").with_input("lock"))

        assert await running(world, await world.admit(), await world.admit()) == [True, True]

    @pytest.mark.parametrize(
        ("value", "says"),
        [(ExpressionError("no such key"), "concurrency.mutex: no such key"), ("x" * 2_000, "1024")],
        ids=["error", "too long"],
    )
    async def test_one_that_cannot_be_made_is_refused(self, world: World, value: object, says: str) -> None:
        world.expressions.values["inputs.lock"] = value
        await world.given(limited(mutex="${{ inputs.lock }}").with_input("lock"))

        refused = await world.refused()

        assert refused.reason == "InvalidMutex"
        assert says in refused.message

    async def test_cancelling_the_holder_frees_it(self, world: World) -> None:
        await world.given(limited(mutex="deploy"))
        holder, second = await world.admit(), await world.admit()

        await world.engine.control.cancel(world.ids["acme"], holder, "no")

        assert await running(world, second) == [True]

    async def test_cancelling_one_that_waits_leaves_the_counts_right(self, world: World) -> None:
        await world.given(limited(mutex="deploy"))
        _, second, third = [await world.admit() for _ in range(3)]

        await world.engine.control.cancel(world.ids["acme"], second, "no")

        usage = await world.usage()
        assert (usage["running"], usage["queued"]) == (1, 0)
        assert await world.phase(third) is RunPhase.PENDING


class TestLimitOfAWorkflow:
    async def test_a_run_beyond_it_waits_says_so_and_starts_when_another_ends(self, world: World) -> None:
        await world.given(limited(limit=2))
        first, second, third = [await world.admit() for _ in range(3)]
        waits = await waiting(world, third)
        assert await running(world, first, second) == [True, True]
        assert waits.reason == "WorkflowConcurrency"
        assert waits.message.endswith("concurrency.limit allows: 2")

        await world.fail(first)

        assert await running(world, third) == [True]

    async def test_it_counts_runs_of_earlier_versions_too(self, world: World) -> None:
        await world.given(one_node())
        await world.admit()
        await world.given(limited(limit=1))

        assert (await waiting(world, await world.admit())).reason == "WorkflowConcurrency"

    async def test_a_newcomer_does_not_overtake_those_who_wait(self, world: World) -> None:
        await world.given(limited(limit=1))
        first, second = await world.admit(), await world.admit()
        # As after a crash between the end of the first and the start of the second.
        await world.rows("UPDATE headgate.workspace_usage SET running = 0 RETURNING 1")
        await world.rows(
            "UPDATE headgate.workflow_executions SET status = 'Failed', finished_at = started_at WHERE id = %s"
            " RETURNING 1",
            first,
        )

        newcomer = await world.admit()

        assert await running(world, second, newcomer) == [True, False]
        assert (await waiting(world, newcomer)).reason == "WorkflowConcurrency"

    async def test_test_runs_count_for_it_neither_when_others_start_nor_when_they_go_on_waiting(
        self, world: World
    ) -> None:
        await world.given(limited(limit=1))
        first, second = await world.admit(), await world.admit()
        await world.admit(mode=RunMode.TEST)

        await world.succeed(first)

        assert await running(world, second) == [True]


class TestWhoWaitsForOthers:
    @pytest.mark.parametrize("concurrency", [{"limit": 1}, {"mutex": "deploy"}], ids=str)
    async def test_holds_up_no_run_behind(self, world: World, concurrency: dict[str, Any]) -> None:
        await world.given(limited("held", **concurrency))
        await world.given(one_node("free"))
        for _ in range(3):
            await world.admit("held")

        free = await world.admit("free")

        assert await running(world, free) == [True]
        assert (await world.usage())["queued"] == 0

    async def test_holds_up_none_either_where_the_workspace_was_full(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=2)
        await world.given(limited("held", mutex="deploy"))
        await world.given(one_node("free"))
        places = [await world.admit("free"), await world.admit("free")]
        held = [await world.admit("held") for _ in range(30)]
        free = await world.admit("free")
        assert (await waiting(world, held[1])).reason == "ConcurrencyLimit"

        await world.succeed(places[0])
        await world.succeed(places[1])

        assert await running(world, held[0], held[1], free) == [True, False, True]

    async def test_says_what_it_waits_for_by_now(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(limited(mutex="deploy"))
        await world.given(one_node("free"))
        place, first, second = await world.admit("free"), await world.admit(), await world.admit()
        await world.given_workspace(max_concurrent_runs=10)

        effects = await world.succeed(place)

        assert await running(world, first, second) == [True, False]
        assert (await waiting(world, second)).reason == "Mutex"
        assert second in effects.runs
        assert (await world.usage())["queued"] == 0

    async def test_waits_for_room_when_it_may_start_and_there_is_none(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=2)
        await world.given(limited(mutex="deploy"))
        await world.given(one_node("free"))
        holder, other, second = await world.admit(), await world.admit("free"), await world.admit()
        third = await world.admit("free")
        assert await running(world, third) == [False]

        await world.succeed(holder)
        assert await running(world, second, third) == [True, False]
        await world.succeed(other)

        assert await running(world, third) == [True]
        assert (await world.usage())["queued"] == 0


class TestPriority:
    async def test_higher_ones_start_first_and_of_the_same_the_oldest(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        place = await world.admit()
        low, usual, later = await world.admit(priority=-1), await world.admit(), await world.admit()
        urgent = await world.admit(priority=10)

        started: list[UUID] = []
        for run in (place, urgent, usual, later):
            await world.succeed(run)
            started += [each for each in (low, usual, later, urgent) if await running(world, each) == [True]]

        assert started == [urgent, usual, later, low]

    async def test_it_is_the_workflows_where_the_request_has_none(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        await world.given(one_node("urgent").with_spec(priority=50))
        place, usual, urgent = await world.admit(), await world.admit(), await world.admit("urgent")

        await world.succeed(place)

        assert await running(world, usual, urgent) == [False, True]

    async def test_the_next_to_have_a_mutex_is_the_one_of_the_highest(self, world: World) -> None:
        await world.given(limited(mutex="deploy"))
        holder, usual, urgent = await world.admit(), await world.admit(), await world.admit(priority=1)

        await world.succeed(holder)

        assert await running(world, usual, urgent) == [False, True]

    async def test_it_may_be_changed_while_the_run_waits_or_has_attempts_queued(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(one_node())
        place, usual, late = await world.admit(), await world.admit(), await world.admit()

        await world.engine.control.prioritize(world.ids["acme"], late, 5)
        await world.engine.control.prioritize(world.ids["acme"], place, 3)

        assert [task["priority"] for task in await world.rows("SELECT priority FROM headgate.tasks")] == [3]
        await world.succeed(place)
        assert await running(world, usual, late) == [False, True]
        assert (await world.view(late)).priority == 5
