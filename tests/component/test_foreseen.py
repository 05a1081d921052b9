"""Ends of attempts that are recorded without reading the run first, as whoever made the attempt knows it.

Each is compared with what an engine does that knows nothing, and reads the run.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.runner_task import RunnerTask
from headgate.domain.storage import LIMIT
from headgate.engine.types import LeaseLost, Outcome
from headgate.store.beginning import number
from tests.builders import a_workflow
from tests.component.priced import priced
from tests.component.world import World

LEASE = timedelta(seconds=15)
CALL = {"http": {"url": "https://example.com"}}
ONE_ROUND_TRIP = ["SELECT", "WITH"]
"""How the statements begin that are sent together."""
NODES = 4
MEGABYTE = 1_000_000


def chain(*, name: str = "chain", last: dict[str, Any] | None = None, **members: Any) -> Any:
    """A workflow of ``n0`` to ``n3``, one after the other."""
    workflow, before = a_workflow(name), "by-hand"
    for place in range(NODES):
        config = last if last is not None and place == NODES - 1 else CALL
        workflow = workflow.with_node(f"n{place}", config, after=[before], **members)
        before = f"n{place}"
    return workflow


async def given_run(world: World, workflow: Any = None) -> UUID:
    made = chain() if workflow is None else workflow
    await world.given(made)
    return await world.admit(made.model().metadata.name)


async def claimed(world: World, holder: str = "pod-1") -> RunnerTask:
    task, _ = await world.engine.runner_tasks.claim(world.ids["acme"], "acme", None, holder, LEASE, ("http",))
    assert task is not None
    return task


async def completed(
    world: World, task: RunnerTask, outcome: Outcome | None = None, *, holder: str = "pod-1"
) -> RunnerTask | None:
    outcome = outcome or Outcome(succeeded=True, output={"rows": 3})
    following, _ = await world.engine.runner_tasks.complete(task.ref, "acme", outcome, holder, LEASE, ("http",))
    return following


async def on_its_way(world: World, workflow: Any = None) -> RunnerTask:
    """The second attempt of a run, which its runner went on with."""
    await given_run(world, workflow)
    following = await completed(world, await claimed(world))
    assert following is not None
    return following


def beginnings(sent: list[str]) -> list[str]:
    return [each.split(maxsplit=1)[0].rstrip(";") for each in sent]


async def of_run(world: World, run: UUID) -> list[dict[str, Any]]:
    """All that is recorded of its steps and tasks, with times as the run had lasted."""
    since = "- (SELECT e.started_at FROM headgate.workflow_executions e WHERE e.id = execution_id)"
    steps = await world.rows(
        f"SELECT node, attempt, phase, branch, reason, message, output, attempt_started_at {since} AS started,"
        f" attempt_finished_at {since} AS finished, hourly_rate, price_version, cpu_requested, memory_requested"
        " FROM headgate.workflow_execution_steps WHERE execution_id = %s ORDER BY node",
        run,
    )
    tasks = await world.rows(
        f"SELECT node, attempt, kind, work, holder, due_at {since} AS due, expires_at {since} AS expires,"
        " first_attempt, priority, losses, timeout_seconds FROM headgate.tasks WHERE execution_id = %s ORDER BY node",
        run,
    )
    return [*steps, *tasks]


async def test_it_takes_one_round_trip(world: World, sent: list[str]) -> None:
    second = await on_its_way(world)
    sent.clear()

    third = await completed(world, second)

    assert beginnings(sent) == ONE_ROUND_TRIP
    assert third is not None
    assert third.ref.node == "n2"


async def test_what_is_recorded_is_what_reading_the_run_comes_to(world: World) -> None:
    world = priced(world)
    second = await on_its_way(world)
    twin = await on_its_way(world)
    await completed(world, second)
    world = priced(world)
    world.clock.advance(milliseconds=1)

    await completed(world, twin)

    assert await of_run(world, second.ref.run_id) == await of_run(world, twin.ref.run_id)
    assert await world.phases(second.ref.run_id) == await world.phases(twin.ref.run_id)


async def test_all_of_a_run_is_recorded_so_but_for_its_first_end_and_its_last(world: World, sent: list[str]) -> None:
    following: RunnerTask | None = await on_its_way(world)
    assert following is not None
    run = following.ref.run_id
    counts = []
    while following is not None:
        sent.clear()
        following = await completed(world, following)
        counts.append(beginnings(sent) == ONE_ROUND_TRIP)

    assert counts == [True, True, False]
    assert await world.phase(run) is RunPhase.SUCCEEDED
    usage = await world.usage()
    assert usage["storage_bytes"] == NODES * len('{"rows": 3}')


async def test_expressions_read_what_is_at_hand(world: World, sent: list[str]) -> None:
    expression = "nodes.n1.output.rows + inputs.more"
    world.expressions.values[expression] = lambda variables: (
        variables["nodes"]["n1"]["output"]["rows"] + variables["inputs"]["more"]
    )
    workflow = a_workflow("reads").with_input("more", default=4)
    before = "by-hand"
    for place in range(NODES):
        url = f"https://example.com/${{{{ {expression} }}}}" if place > 1 else "https://example.com"
        workflow = workflow.with_node(f"n{place}", {"http": {"url": url}}, after=[before])
        before = f"n{place}"
    second = await on_its_way(world, workflow)
    third = await completed(world, second)
    assert third is not None
    sent.clear()

    fourth = await completed(world, third)

    assert beginnings(sent) == ONE_ROUND_TRIP
    assert [task.work["http"]["url"] for task in (third, fourth) if task is not None] == ["https://example.com/7"] * 2


class TestWhatSomebodyDidMeanwhileCounts:
    async def test_a_run_that_was_cancelled(self, world: World) -> None:
        second = await on_its_way(world)
        run = second.ref.run_id
        await world.another_engine().control.cancel(world.ids["acme"], run, "enough")

        with pytest.raises(LeaseLost):
            await completed(world, second)

        assert await world.phase(run) is RunPhase.CANCELLED
        assert (await world.phases(run))["n2"] is NodePhase.CANCELLED

    async def test_a_run_that_was_asked_to_end_and_tidies_up_before(self, world: World) -> None:
        second = await on_its_way(world, chain().with_node("tidy-up", CALL, after=["n3"], final=True))
        run = second.ref.run_id
        await world.another_engine().control.stop(world.ids["acme"], run, "enough")

        following = await completed(world, second)

        assert following is not None
        assert following.ref.node == "tidy-up"
        assert (await world.phases(run))["n2"] is NodePhase.CANCELLED

    async def test_a_run_that_was_suspended(self, world: World) -> None:
        second = await on_its_way(world)
        run = second.ref.run_id
        await world.another_engine().control.suspend(world.ids["acme"], run, "wait")

        assert await completed(world, second) is None

        assert await world.phase(run) is RunPhase.SUSPENDED
        assert (await world.phases(run))["n1"] is NodePhase.SUCCEEDED
        await world.engine.control.resume(world.ids["acme"], run)
        assert (await claimed(world)).ref.node == "n2"

    async def test_an_attempt_that_another_runner_has(self, world: World) -> None:
        second = await on_its_way(world)
        world.clock.advance(seconds=16)
        again = await claimed(world, "pod-2")
        assert again.ref == second.ref

        with pytest.raises(LeaseLost):
            await completed(world, second)

        assert (await world.phases(second.ref.run_id))["n1"] is NodePhase.RUNNING
        assert await completed(world, again, holder="pod-2") is not None

    async def test_an_end_that_was_told_before(self, world: World) -> None:
        second = await on_its_way(world)
        elsewhere = world.another_engine()
        await elsewhere.runner_tasks.complete(second.ref, "acme", Outcome(True), "pod-1", LEASE, ("http",))

        with pytest.raises(LeaseLost):
            await completed(world, second)

        [row] = await world.rows("SELECT node, holder FROM headgate.tasks WHERE execution_id = %s", second.ref.run_id)
        assert row == {"node": "n2", "holder": "pod-1"}

    async def test_what_is_due_for_the_runner_comes_first(self, world: World) -> None:
        second = await on_its_way(world)
        other = await given_run(world, chain(name="other"))

        following = await completed(world, second)

        assert following is not None
        assert following.ref == world.ref(other, "n0")
        [row] = await world.rows("SELECT holder FROM headgate.tasks WHERE execution_id = %s", second.ref.run_id)
        assert row["holder"] is None

    async def test_storage_that_is_full(self, world: World) -> None:
        await world.given_workspace(max_storage_mb=1)
        second = await on_its_way(world)
        await world.rows(
            "UPDATE headgate.workspace_usage SET storage_bytes = %s WHERE workspace_id = %s RETURNING 1",
            MEGABYTE - 5,
            world.ids["acme"],
        )

        assert await completed(world, second) is None

        [_, ended, *_] = (await world.view(second.ref.run_id)).nodes
        assert (ended.phase, ended.reason) == (NodePhase.FAILED, LIMIT)

    async def test_a_run_that_somebody_holds_is_waited_for(self, world: World) -> None:
        second = await on_its_way(world)
        connection = await psycopg.AsyncConnection.connect(world.superuser_url, autocommit=True)
        async with connection:
            await connection.execute("SELECT pg_advisory_lock(%s)", [number(second.ref.run_id)])
            ending = asyncio.create_task(completed(world, second))
            waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not await world.rows(waits):
                assert not ending.done()
                await asyncio.sleep(0.01)
            assert (await world.phases(second.ref.run_id))["n1"] is NodePhase.RUNNING

        third = await ending

        assert third is not None
        assert third.ref.node == "n2"


class TestWhatTakesMore:
    async def test_a_failure_that_is_repeated(self, world: World) -> None:
        retried = await on_its_way(world, chain(retry={"limit": 1}))

        assert await completed(world, retried, Outcome(succeeded=False, reason="HttpStatus")) is None

        [row] = await world.rows("SELECT node, attempt FROM headgate.tasks WHERE execution_id = %s", retried.ref.run_id)
        assert row == {"node": "n1", "attempt": 2}

    async def test_a_failure_that_is_repeated_at_once(self, world: World) -> None:
        retried = await on_its_way(world, chain(retry={"limit": 1, "initialDelay": "0s"}))

        again = await completed(world, retried, Outcome(succeeded=False, reason="HttpStatus"))

        assert again is not None
        assert (again.ref.node, again.ref.attempt) == ("n1", 2)

    async def test_an_output_that_is_remembered(self, world: World) -> None:
        second = await on_its_way(world, chain(memoize={"key": "same"}))

        third = await completed(world, second)

        assert third is not None
        assert len(await world.rows("SELECT node FROM headgate.node_memos")) == 2

    async def test_what_waits_for_somebody_else_after_it(self, world: World, sent: list[str]) -> None:
        following: RunnerTask | None = await on_its_way(world, chain(last={"approval": {"message": "go on?"}}))
        while following is not None:
            sent.clear()
            following = await completed(world, following)

        assert beginnings(sent) == ONE_ROUND_TRIP
        [row] = await world.rows("SELECT node, kind FROM headgate.tasks")
        assert row == {"node": "n3", "kind": "approval"}

    async def test_a_run_of_which_two_attempts_are_under_way(self, world: World, sent: list[str]) -> None:
        workflow = a_workflow("wide")
        for side in ("left", "right"):
            workflow = workflow.with_node(side, CALL, after=["by-hand"]).with_node(f"{side}-2", CALL, after=[side])
        await given_run(world, workflow)
        one, two = await claimed(world), await claimed(world)
        following = await completed(world, one)
        assert following is not None
        await completed(world, two)
        sent.clear()

        await completed(world, following)

        assert beginnings(sent) != ONE_ROUND_TRIP
        assert set((await world.phases(following.ref.run_id)).values()) == {NodePhase.SUCCEEDED, NodePhase.RUNNING}


async def test_a_connection_that_broke_meanwhile_is_replaced(world: World) -> None:
    second = await on_its_way(world)
    await world.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headgate'"
        " AND datname = current_database()"
    )

    third = await completed(world, second)

    assert third is not None
    assert third.ref.node == "n2"
