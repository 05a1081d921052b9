"""Whatever calls whatever under limits of one: all ends, and at no moment is there more than the limits say."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

import pytest

from headgate.api.workflow_run import RunPhase
from headgate.engine.engine import Engine
from headgate.engine.types import Outcome
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.world import World

WORKFLOWS = 5
MOST_ROUNDS = 400
_UNDER_WAY = """
    SELECT e.id, e.workflow_id, e.mutex, e.concurrency_limit, e.callers, b.lender
    FROM headgate.workflow_executions e
    LEFT JOIN headgate.borrowed_places b ON b.workspace_id = e.workspace_id AND b.run_id = e.id
    WHERE e.status IN ('Running', 'Suspended') AND e.running_since IS NOT NULL
"""


def name(number: int) -> str:
    return f"w{number}"


def some_workflow(number: int, random: Random, concurrency: dict[str, Any]) -> WorkflowBuilder:
    """A workflow of containers, and of calls of workflows with higher numbers, some after others."""
    workflow, nodes = a_workflow(name(number)).with_spec(concurrency=concurrency), list[str]()
    for index in range(random.randint(1, 3)):
        node = f"n{index}"
        after = [random.choice(nodes)] if nodes and random.random() < 0.4 else []
        target = random.randint(number + 1, WORKFLOWS)
        calls = {"workflow": {"name": name(target)}} if target < WORKFLOWS and random.random() < 0.7 else None
        workflow = workflow.with_node(node, calls, after=after or ["by-hand"])
        nodes.append(node)
    return workflow


async def look(world: World, limit: int) -> list[dict[str, Any]]:
    """The runs under way, which must be no more than may be."""
    runs = await world.rows(_UNDER_WAY)
    ids = {run["id"] for run in runs}
    own = [run for run in runs if run["lender"] is None]
    lenders = [run["lender"] for run in runs if run["lender"] is not None]
    assert len(own) <= limit
    assert set(lenders) <= ids
    assert len(set(lenders)) == len(lenders)
    for mutex in {run["mutex"] for run in runs} - {None}:
        holders = sorted((run for run in runs if run["mutex"] == mutex), key=lambda run: len(run["callers"]))
        assert all(upper["id"] in lower["callers"] for upper, lower in pairwise(holders))
    for run in runs:
        if run["concurrency_limit"] is not None:
            same = [other for other in runs if other["workflow_id"] == run["workflow_id"]]
            assert all(other["id"] == run["id"] or related(other, run) for other in same)
    return runs


def related(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether one of the two runs waits for the other."""
    return one["id"] in other["callers"] or other["id"] in one["callers"]


async def go_on(world: World, replicas: list[Engine], random: Random, doomed: list[UUID]) -> None:
    """Both replicas at once: what is due, some of what runs ends, and the doomed runs are cancelled."""
    now = world.clock.advance(milliseconds=1)
    tasks = await world.claim()
    await world.engine.record_jobs([(task.ref, "uid") for task in tasks])
    jobs = await world.rows("SELECT execution_id, node FROM headgate.tasks WHERE kind = 'job' AND job_uid IS NOT NULL")
    random.shuffle(jobs)
    ends = [world.ref(job["execution_id"], job["node"]) for job in jobs[: random.randint(1, 3)]]
    await asyncio.gather(
        *(engine.chain_runs(now) for engine in replicas),
        *(replicas[n % 2].complete(ref, Outcome(True)) for n, ref in enumerate(ends)),
        *(replicas[1].control.cancel(world.ids["acme"], run, "no") for run in doomed),
    )


@pytest.mark.parametrize("seed", range(8))
async def test_they_end_as_well_whatever_the_order_in_which_they_take_mutexes(
    world: World, replicas: list[Engine], seed: int
) -> None:
    random = Random(seed)
    await world.given_workspace(max_concurrent_runs=4)
    choices: list[dict[str, Any]] = [{"limit": 1}, {"mutex": "a"}, {"mutex": "b"}, {"mutex": "c"}]
    for number in range(WORKFLOWS):
        await world.given(some_workflow(number, random, random.choice(choices)))
    roots = [await world.admit(name(random.randint(0, 2))) for _ in range(4)]

    for _ in range(MOST_ROUNDS):
        if not await look(world, 4):
            break
        await go_on(world, replicas, random, [])

    messages = [(await world.view(root)).error_message for root in roots]
    assert all(message is None or "Deadlock: run" in message for message in messages)
    assert await world.rows("SELECT FROM headgate.workflow_executions WHERE finished_at IS NULL") == []
    assert await world.rows("SELECT FROM headgate.borrowed_places") == []


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("victims", [0, 3])
async def test_random_call_trees_always_end(
    world: World, replicas: list[Engine], seed: int, limit: int, victims: int
) -> None:
    random = Random(f"{seed}/{limit}/{victims}")
    await world.given_workspace(max_concurrent_runs=limit)
    # With one place all runs under way are one chain; with more, mutexes that are taken in different orders would be a
    # mistake of whoever wrote the workflows.
    choices: list[dict[str, Any]] = [{}, {"limit": 1}, *([{"mutex": "a"}, {"mutex": "b"}] if limit == 1 else [])]
    for number in range(WORKFLOWS):
        await world.given(some_workflow(number, random, random.choice(choices)))
    roots = [await world.admit(name(random.randint(0, 2)), priority=random.randint(-1, 1)) for _ in range(4)]

    cancelled = 0
    for _ in range(MOST_ROUNDS):
        if not (runs := await look(world, limit)):
            break
        doomed = [random.choice(runs)["id"]] if cancelled < victims and random.random() < 0.2 else []
        await go_on(world, replicas, random, doomed)
        cancelled += len(doomed)

    if not victims:
        assert {await world.phase(root) for root in roots} == {RunPhase.SUCCEEDED}
    usage = await world.usage()
    assert (usage["running"], usage["queued"]) == (0, 0)
    assert await world.rows("SELECT FROM headgate.borrowed_places") == []
    assert await world.rows("SELECT FROM headgate.workflow_executions WHERE finished_at IS NULL") == []
