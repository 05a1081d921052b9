"""Limits under fire: of many requests at once exactly as many are let through as there is room for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import UUID

import psycopg
import pytest

from headgate.api.quota import Limits, OnExceeded
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.engine import Engine
from headgate.engine.types import Admitted, Outcome, Refused, RunRequest
from headgate.store.errors import DatabaseUnavailable
from tests.builders import a_workflow
from tests.component.world import World, one_node
from tests.support.databases import TestDatabase

REQUESTS, ROOM, KILLS = 200, 50, 60
TEXT = "x" * 19_988
"""``{"text": "..."}`` of it takes 20,000 bytes, so that 50 of it take the whole of a megabyte."""
LIMITS = {
    "daily": Limits(max_executions_per_day=ROOM),
    "concurrent": Limits(max_concurrent_runs=ROOM),
    "storage": Limits(max_storage_mb=1, max_concurrent_runs=1000),
}
REST = {
    "daily": {"Pending": REQUESTS - ROOM},
    "concurrent": {"Pending": REQUESTS - ROOM},
    "storage": {"Pending": REQUESTS - ROOM},
}
"""What becomes of those for which there is no room, where the plan queues."""
REASONS = {"daily": "DailyLimit", "concurrent": "ConcurrencyLimit", "storage": "StorageLimit"}


async def given(
    world: World,
    *workspaces: str,
    limit: str,
    pot: str | None = None,
    on_exceeded: OnExceeded = OnExceeded.QUEUE,
) -> None:
    """Workspaces with room for fifty, and a workflow with an input."""
    for name in workspaces:
        await world.given_workspace(name, pot=pot, on_exceeded=on_exceeded, limits=LIMITS[limit])
        await world.given(one_node().with_input("text"), name)


def requests(world: World, *workspaces: str, limit: str) -> list[RunRequest]:
    """Two hundred requests, in turns."""
    inputs = {"text": TEXT} if limit == "storage" else {}
    return [world.request(workspace=workspaces[i % len(workspaces)], inputs=inputs) for i in range(REQUESTS)]


async def persist(ask: Callable[[], Awaitable[tuple[Admitted | Refused, object]]]) -> Admitted | Refused:
    """The answer, asked for again where the database went away: a request may be repeated."""
    for _ in range(20):
        try:
            return (await ask())[0]
        except DatabaseUnavailable:
            await asyncio.sleep(0.05)
    raise AssertionError("the database does not come back")


async def all_at_once(replicas: list[Engine], asked: list[RunRequest]) -> list[Admitted | Refused]:
    """Every request's answer, from either replica."""
    return await asyncio.gather(
        *(persist(lambda e=replicas[i % 2], r=request: e.admit(r)) for i, request in enumerate(asked))  # type: ignore[misc]
    )


async def phases(world: World) -> Counter[str]:
    """How many runs are in which phase, in all workspaces."""
    return Counter(row["status"] for row in await world.rows("SELECT status FROM headgate.workflow_executions"))


@pytest.mark.parametrize("limit", LIMITS)
async def test_exactly_as_many_start_as_there_is_room_for_and_the_others_wait(
    world: World, replicas: list[Engine], limit: str
) -> None:
    await given(world, "acme", limit=limit)

    await all_at_once(replicas, requests(world, "acme", limit=limit))

    assert await phases(world) == {"Running": ROOM, **REST[limit]}
    usage = await world.usage()
    assert (usage["running"], usage["queued"], usage["executions"]) == (ROOM, sum(REST[limit].values()), ROOM)
    assert usage["storage_bytes"] == (10**6 if limit == "storage" else usage["storage_bytes"])


@pytest.mark.parametrize("limit", LIMITS)
async def test_where_the_plan_rejects_exactly_as_many_are_refused_and_nothing_is_left_of_them(
    world: World, replicas: list[Engine], limit: str
) -> None:
    await given(world, "acme", limit=limit, on_exceeded=OnExceeded.REJECT)

    answers = await all_at_once(replicas, requests(world, "acme", limit=limit))

    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert {answer.reason for answer in refused} == {REASONS[limit]}
    assert len(refused) == REQUESTS - ROOM
    assert await phases(world) == {"Running": ROOM}
    assert len(await world.rows("SELECT FROM headgate.execution_triggers")) == ROOM


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_pot_is_as_exact_for_all_its_workspaces_together(
    world: World, replicas: list[Engine], limit: str
) -> None:
    await given(world, "acme", "globex", "initech", limit=limit, pot="team")

    await all_at_once(replicas, requests(world, "acme", "globex", "initech", limit=limit))

    assert await phases(world) == {"Running": ROOM, **REST[limit]}
    pot = await world.pot("team")
    assert (pot["running"], pot["executions"]) == (ROOM, ROOM)


@pytest.mark.parametrize("limit", LIMITS)
async def test_it_stays_exact_while_connections_are_killed(
    world: World, replicas: list[Engine], fresh: TestDatabase, limit: str
) -> None:
    await given(world, "acme", limit=limit)
    asking = asyncio.create_task(all_at_once(replicas, requests(world, "acme", limit=limit)))
    kills = 0
    # Not for ever: on a slow machine nothing would come to its end between two of them.
    while not asking.done() and kills < KILLS:
        kills += await kill_some(fresh)
        await asyncio.sleep(0.02)

    await asking

    assert kills > 0
    assert await phases(world) == {"Running": ROOM, **REST[limit]}
    assert (await world.usage())["running"] == ROOM


async def kill_some(fresh: TestDatabase) -> int:
    """End up to three of the engines' connections, as a crash of their process would. How many were ended."""
    async with await psycopg.AsyncConnection.connect(fresh.superuser_url, autocommit=True) as connection:
        ended = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headgate' LIMIT 3"
        )
        return ended.rowcount


async def test_exactly_as_many_outputs_are_kept_as_there_is_room_for(world: World, replicas: list[Engine]) -> None:
    await world.given_workspace(max_storage_mb=1, max_concurrent_runs=1000)
    filler = 10**6 - ROOM * 4000
    await world.given(one_node().with_input("text"))
    await world.admit(inputs={"text": "x" * 65_000})
    await world.rows("UPDATE headgate.workspace_usage SET storage_bytes = %s RETURNING 1", filler)
    runs = [await world.admit() for _ in range(REQUESTS)]
    before = (await world.usage())["storage_bytes"]
    output = "y" * (4000 - 2)

    await asyncio.gather(
        *(replicas[i % 2].complete(world.ref(run, "work"), Outcome(True, output)) for i, run in enumerate(runs))
    )

    views = [await world.view(run) for run in runs]
    kept = [view for view in views if view.phase is RunPhase.SUCCEEDED]
    assert len(kept) == (10**6 - before) // 4000
    lost = [view.nodes[0] for view in views if view.phase is RunPhase.FAILED]
    assert {(node.phase, node.reason, node.output) for node in lost} == {(NodePhase.FAILED, "StorageLimit", None)}
    assert "maxStorageMB" in lost[0].message
    assert (await world.usage())["storage_bytes"] == before + len(kept) * 4000


async def test_a_refusal_says_when_the_request_may_succeed(world: World) -> None:
    await world.given_workspace(max_executions_per_day=0, on_exceeded=OnExceeded.REJECT)
    await world.given(one_node())

    refused = await world.refused()

    assert refused.reason == "DailyLimit"
    assert refused.until is not None
    assert refused.until.isoformat() == "2026-03-11T00:00:00+00:00"
    assert "2026-03-11T00:00:00Z" in refused.message


async def test_a_refused_request_may_be_made_again_under_its_key(world: World) -> None:
    await world.given_workspace(max_executions_per_day=0, on_exceeded=OnExceeded.REJECT)
    await world.given(one_node())
    await world.refused(key="resource:1")
    await world.given_workspace(max_executions_per_day=1)

    assert await world.phase(await world.admit(key="resource:1")) is RunPhase.RUNNING


async def test_a_limit_lowered_below_use_ends_nothing_and_starts_nothing(world: World) -> None:
    await world.given(one_node())
    under_way = [await world.admit() for _ in range(3)]

    await world.given_workspace(max_concurrent_runs=1)

    assert await world.phase(await world.admit()) is RunPhase.PENDING
    assert {await world.phase(run) for run in under_way} == {RunPhase.RUNNING}
    await world.succeed(under_way[0])
    await world.succeed(under_way[1])
    assert (await world.usage())["running"] == 1
    await world.succeed(under_way[2])
    assert (await world.usage())["running"] == 1


async def test_storage_that_is_full_lets_nothing_start(world: World) -> None:
    await world.given_workspace(max_storage_mb=0)
    await world.given(one_node())

    [waiting] = (await world.view(await world.admit())).waiting

    assert waiting.reason == "StorageLimit"
    assert "maxStorageMB" in waiting.message


async def test_what_conditions_decide_is_kept_and_counted(world: World) -> None:
    world.expressions.values["true"] = True
    await world.given(a_workflow("nightly").with_condition("yes", "true", after=["by-hand"]))

    await world.admit()

    assert (await world.usage())["storage_bytes"] == len("true")


class TestPots:
    async def test_a_run_that_ends_lets_one_of_another_workspace_start(self, world: World) -> None:
        await given(world, "acme", "globex", limit="concurrent", pot="team")
        for name in ("acme", "globex"):
            await world.given_workspace(name, pot="team", max_concurrent_runs=1)
        first = await world.admit(workspace="acme")
        waiting = await world.admit(workspace="globex")
        assert await world.phase(waiting, "globex") is RunPhase.PENDING

        await world.succeed(first)

        assert await world.phase(waiting, "globex") is RunPhase.RUNNING

    async def test_the_run_that_waits_longest_starts_first(self, world: World) -> None:
        for name in ("acme", "globex", "initech"):
            await world.given_workspace(name, pot="team", max_concurrent_runs=1)
            await world.given(one_node(), name)
        first = await world.admit(workspace="acme")
        second = await world.admit(workspace="initech")
        third = await world.admit(workspace="globex")

        await world.succeed(first)

        assert await world.phase(second, "initech") is RunPhase.RUNNING
        assert await world.phase(third, "globex") is RunPhase.PENDING

    async def test_what_a_workspace_uses_moves_along_with_it(self, world: World) -> None:
        await world.given_workspace("acme", pot="small")
        await world.given(one_node().with_input("text"))
        await world.admit(inputs={"text": "x"})
        assert await counts(world, "small") == (1, 1, 13)

        await world.given_workspace("acme", pot="large")
        assert await counts(world, "small") == (0, 0, 0)
        assert await counts(world, "large") == (1, 1, 13)

        await world.given_workspace("acme")
        assert await counts(world, "large") == (0, 0, 0)
        assert (await world.usage())["running"] == 1

    async def test_a_workspace_that_is_retired_leaves_nothing_in_its_pot(self, world: World) -> None:
        await world.given_workspace("acme", pot="team")
        await world.given(one_node())
        await world.admit()

        await world.engine.workspaces.retire("acme")

        assert await counts(world, "team") == (0, 0, 0)

    async def test_a_new_day_begins_for_the_pot_as_well(self, world: World) -> None:
        for name in ("acme", "globex"):
            await world.given_workspace(name, pot="team", max_executions_per_day=1)
            await world.given(one_node(), name)
        await world.admit(workspace="acme")
        assert await world.phase(await world.admit(workspace="globex"), "globex") is RunPhase.PENDING

        world.clock.advance(days=1)
        await world.engine.start_all_pending()

        assert (await world.usage("globex"))["running"] == 1


async def counts(world: World, pot: str) -> tuple[int, int, int]:
    """Runs under way, of today, and bytes."""
    row = await world.pot(pot)
    return row["running"], row["executions"], row["storage_bytes"]


async def test_usage_is_told_for_all_workspaces_in_one_query(world: World) -> None:
    await world.given_workspace("acme", max_concurrent_runs=1)
    await world.given_workspace("globex", pot="team")
    await world.given(one_node())
    await world.admit()
    await world.admit()

    usage = {item.name: item for item in await world.engine.workspaces.usage()}

    acme, globex = usage["acme"], usage["globex"]
    assert (acme.running, acme.pending, acme.executions_today, acme.pot) == (1, 1, 1, None)
    assert (globex.running, globex.pending, globex.pot) == (0, 0, "team")
    world.clock.advance(days=1)
    assert {item.executions_today for item in await world.engine.workspaces.usage()} == {0}


async def test_a_workspace_is_recorded_with_its_retention(world: World) -> None:
    [row] = await world.rows(
        "SELECT * FROM headgate.data_retention_policies WHERE workspace_id = %s", world.ids["acme"]
    )

    assert isinstance(row["workspace_id"], UUID)
    assert (row["execution_logs_days"], row["audit_logs_days"], row["webhook_logs_days"]) == (90, 365, 30)
    assert row["compliance_logs_days"] == 2555
