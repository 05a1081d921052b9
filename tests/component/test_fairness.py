"""Who goes next: workspaces take turns by weight, whatever their queues; within one, priority comes before age."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from headgate.store import claims
from headgate.store.beginning import BY_INDEX
from tests.component.world import World, one_node
from tests.support.databases import TestDatabase

BACKLOG = 5_000


async def given(world: World, *workspaces: str, **weights: int) -> None:
    for name in (*workspaces, *weights):
        await world.given_workspace(name, weight=weights.get(name, 1), max_concurrent_runs=1_000)
        await world.given(one_node(), name)


async def given_backlog(world: World, workspace: str, count: int = BACKLOG, priority: int = 0) -> None:
    """Queued attempts of as many runs, older than everything that is admitted later."""
    await world.rows(
        """
        INSERT INTO headgate.tasks (workspace_id, execution_id, node, attempt, namespace, workflow, work,
            timeout_seconds, due_at, priority)
        SELECT %s, gen_random_uuid(), 'work', 1, 'acme', 'nightly', '{"container": {"image": "busybox"}}', 60,
            CAST(%s AS timestamptz) - interval '1 hour' + n * interval '1 millisecond', %s
        FROM generate_series(1, %s) n RETURNING 1
        """,
        world.ids[workspace],
        world.clock.now,
        priority,
        count,
    )


async def claimed(world: World, claims: int, limit: int = 1) -> list[str]:
    """The workspaces whose attempts the next claims give, in order."""
    return [task.workspace for _ in range(claims) for task in await world.claim(limit)]


@pytest.mark.parametrize("limit", [1, 7])
async def test_five_thousand_queued_runs_delay_another_workspaces_single_one_by_no_more_than_one_slot(
    world: World, limit: int
) -> None:
    await given(world, "busy", "quiet")
    await given_backlog(world, "busy")
    assert Counter(await claimed(world, 3, limit)) == {"busy": 3 * limit}

    await world.admit(workspace="quiet")

    assert "quiet" in (await claimed(world, max(1, 2 // limit), limit))[:2]


async def test_a_single_run_goes_first_even_where_more_workspaces_are_busy_than_a_claim_takes(world: World) -> None:
    busy = [f"busy-{number}" for number in range(6)]
    await given(world, *busy, "quiet")
    for name in busy:
        await given_backlog(world, name, 20)
    assert Counter(await claimed(world, 6, 2)) == dict.fromkeys(busy, 2)

    await world.admit(workspace="quiet")

    assert "quiet" in await claimed(world, 1, 2)


@pytest.mark.parametrize("limit", [1, 3, 8])
async def test_busy_workspaces_are_served_by_their_weights_whatever_a_claim_takes(world: World, limit: int) -> None:
    await given(world, light=1, heavy=3)
    for name in ("light", "heavy"):
        await given_backlog(world, name, 100)

    served = Counter(await claimed(world, 48 // limit, limit))

    assert served == {"light": 12, "heavy": 36}


async def test_a_workspace_that_was_idle_has_saved_up_no_turns(world: World) -> None:
    await given(world, "steady", "back")
    await given_backlog(world, "steady", 100)
    await given_backlog(world, "back", 1)
    await claimed(world, 40)

    await given_backlog(world, "back", 20)

    served = Counter(await claimed(world, 10, 2))
    assert abs(served["steady"] - served["back"]) <= 2


async def test_a_workspace_that_asks_again_and_again_for_one_run_gets_no_more_than_its_turn(world: World) -> None:
    await given(world, "steady", "dribbling")
    await given_backlog(world, "steady", 100)
    served: Counter[str] = Counter()
    for _ in range(20):
        await world.admit(workspace="dribbling")
        served.update(await claimed(world, 1))

    assert abs(served["steady"] - served["dribbling"]) <= 1


async def test_higher_priorities_of_a_workspace_come_first_and_take_no_turn_of_another_one(world: World) -> None:
    await given(world, "acme", "other")
    await given_backlog(world, "other", 3, priority=0)
    low = await world.admit(priority=-5)
    usual = await world.admit()
    urgent = await world.admit(priority=100)

    given_out = await world.claim()

    assert [task.ref.run_id for task in given_out if task.workspace == "acme"] == [urgent, usual, low]
    assert sorted(task.workspace for task in given_out[:2]) == ["acme", "other"]


async def test_what_follows_in_a_run_has_its_priority_too(world: World) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}).with_node("next", after=["work"]))
    run = await world.admit(priority=7)

    await world.fail(run)
    await world.succeed(run, attempt=2)

    rows = await world.rows("SELECT node, priority FROM headgate.tasks")
    assert rows == [{"node": "next", "priority": 7}]


async def test_turns_are_forgotten_when_they_mean_nothing_any_more(world: World) -> None:
    names = [f"once-{number}" for number in range(5)]
    await given(world, *names, "steady")
    for name in names:
        await given_backlog(world, name, 1)
    await world.claim()

    await given_backlog(world, "steady", 3)
    await world.claim()

    rows = await world.rows("SELECT workspace_id FROM headgate.dispatch_turns")
    assert [row["workspace_id"] for row in rows] == [world.ids["steady"]]


@pytest.mark.parametrize(
    "statistics", ["of many short queues", "of when nothing was due", "of a last one in a long queue", "of this one"]
)
async def test_a_claim_reads_no_more_of_the_queue_than_it_takes(
    world: World, fresh: TestDatabase, statistics: str
) -> None:
    await given(world, "busy", "quiet")
    if statistics == "of many short queues":
        await given_backlog(world, "busy", 2 * BACKLOG)
        shortened = "DELETE FROM headgate.tasks WHERE random() < 0.998"
        each_of_another = "UPDATE headgate.tasks SET workspace_id = gen_random_uuid()"
        analyze(fresh, shortened, each_of_another, "ANALYZE headgate.tasks", "DELETE FROM headgate.tasks")
    if statistics == "of when nothing was due":
        await given_backlog(world, "busy", 2 * BACKLOG)
        later = "UPDATE headgate.tasks SET due_at = due_at + interval '1 year'"
        analyze(fresh, later, "ANALYZE headgate.tasks", "DELETE FROM headgate.tasks")
    if statistics == "of a last one in a long queue":
        await given_backlog(world, "busy", 2 * BACKLOG)
        but_the_last = "DELETE FROM headgate.tasks WHERE ctid <> (SELECT max(ctid) FROM headgate.tasks)"
        analyze(fresh, but_the_last, "VACUUM ANALYZE headgate.tasks", "DELETE FROM headgate.tasks")
    await given_backlog(world, "busy")
    await given_backlog(world, "busy", 100, priority=5)
    await world.claim(200)
    await world.admit(workspace="quiet")
    limit = 10
    now = world.clock.now
    parameters = {"now": now, "limit": limit, "lease_until": now, "holder": "operator-0", "leave": []}
    parameters |= {"unscheduled": 50, "lately": now - claims.STUCK_AFTER}

    if statistics == "of this one":
        analyze(fresh, "ANALYZE headgate.tasks")
    with psycopg.connect(fresh.superuser_url) as connection:
        connection.execute(f"SELECT set_config('role', 'headgate_system', true) {BY_INDEX}".encode())
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {claims._CLAIM}"
        [[[plan]]] = connection.execute(explain.encode(), parameters).fetchall()
        connection.rollback()

    assert read_of(plan["Plan"], "tasks") <= 15 * limit, json.dumps(plan, indent=1)


def analyze(database: TestDatabase, *statements: str) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def read_of(plan: dict[str, Any], table: str) -> float:
    """How many rows of the table a plan read, those that it filtered out included."""
    return sum(
        float((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes_of(plan)
        if node.get("Relation Name") == table and "Scan" in node["Node Type"]
    )


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)
