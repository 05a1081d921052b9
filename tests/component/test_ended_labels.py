"""Runs found by a label together with how they are: the rows for it, and the pages that are read by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from headgate.api.debugging import RunMode
from headgate.api.workflow_run import RunPhase
from headgate.engine.reading import recommendations
from headgate.engine.types import RunFilter
from headgate.store.database import Transaction
from tests.builders import a_workflow
from tests.component.archived import Archive
from tests.component.test_history import listed
from tests.component.world import World, one_node
from tests.support.databases import TestDatabase

SHOP = (("team", "shop"),)
ENDED = frozenset([RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.CANCELLED])
FAILED = frozenset([RunPhase.FAILED])
SINGLE = [[phase] for phase in RunPhase]
TOGETHER = [
    frozenset([RunPhase.FAILED, RunPhase.CANCELLED]),
    frozenset([RunPhase.FAILED, RunPhase.RUNNING]),
    frozenset(RunPhase) - ENDED,
    ENDED,
    frozenset(RunPhase),
]


async def rows(world: World) -> list[tuple[UUID, str, str, str]]:
    """What is kept of labels of runs that have ended."""
    found = await world.rows("SELECT execution_id, key, value, status FROM headgate.ended_labels")
    return sorted((row["execution_id"], row["key"], row["value"], row["status"]) for row in found)


async def of_runs(world: World) -> list[tuple[UUID, str, str, str]]:
    """What there should be, as the runs have it."""
    found = await world.rows(
        "SELECT id, l.key, l.value, status FROM headgate.workflow_executions CROSS JOIN jsonb_each_text(labels) l"
        " WHERE finished_at IS NOT NULL"
    )
    return sorted((row["id"], row["key"], row["value"], row["status"]) for row in found)


async def look_after(world: World) -> None:
    """All that is due."""
    while await world.engine.recommendations.make(world.clock.now):
        pass


async def labelled(world: World, workflow: str = "nightly", **members: Any) -> UUID:
    return await world.admit(workflow, labels={"team": "shop", "order": "7"}, **members)


async def succeeds(world: World) -> None:
    await world.succeed(await labelled(world))


async def fails(world: World) -> None:
    await world.fail(await labelled(world))


async def is_cancelled(world: World) -> None:
    await world.engine.control.cancel(world.ids["acme"], await labelled(world), "no")


async def is_stopped(world: World) -> None:
    run = await labelled(world)
    await world.claim()
    await world.engine.record_jobs([(world.ref(run, "work"), "uid")])
    await world.engine.control.stop(world.ids["acme"], run, "no")
    await world.fail(run, reason="JobDeleted")


async def is_cancelled_while_it_waits(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await labelled(world)
    await is_cancelled(world)


async def takes_too_long(world: World) -> None:
    await world.given(one_node().with_spec(timeout="1h"))
    await labelled(world)
    await world.engine.control.expire_runs(world.clock.advance(hours=1))


async def ends_as_it_is_admitted(world: World) -> None:
    world.expressions.values["1 > 2"] = False
    await world.given(a_workflow("check").with_condition("big", "1 > 2", after=["by-hand"]))
    await labelled(world, "check")


async def is_a_test(world: World) -> None:
    await world.fail(await labelled(world, mode=RunMode.TEST))


async def is_retried(world: World) -> None:
    run = await labelled(world)
    await world.fail(run)
    await world.engine.control.retry(world.ids["acme"], run, 1)


async def fails_and_succeeds(world: World) -> None:
    run = await labelled(world)
    await world.fail(run)
    await world.engine.control.retry(world.ids["acme"], run, 1)
    await world.succeed(run, attempt=2)


async def is_suspended_and_cancelled(world: World) -> None:
    run = await labelled(world)
    await world.engine.control.suspend(world.ids["acme"], run, "to look at it")
    await world.engine.control.cancel(world.ids["acme"], run, "no")


@pytest.mark.parametrize(
    ("happens", "phases"),
    [
        (succeeds, ["Succeeded"]),
        (fails, ["Failed"]),
        (is_cancelled, ["Cancelled"]),
        (is_stopped, ["Cancelled"]),
        (is_cancelled_while_it_waits, ["Cancelled"]),
        (takes_too_long, ["Failed"]),
        (ends_as_it_is_admitted, ["Succeeded"]),
        (is_a_test, ["Failed"]),
        (is_retried, []),
        (fails_and_succeeds, ["Succeeded"]),
        (is_suspended_and_cancelled, ["Cancelled"]),
    ],
)
async def test_whatever_happens_to_a_run_its_labels_say_how_it_ended(
    world: World, happens: Callable[[World], Awaitable[None]], phases: list[str]
) -> None:
    await world.given(one_node())

    await happens(world)

    assert await rows(world) == await of_runs(world)
    assert [row[3] for row in await rows(world) if row[1] == "team"] == phases


async def test_a_run_without_labels_leaves_none(world: World) -> None:
    await world.given(one_node())
    await world.fail(await world.admit())

    assert await rows(world) == []


async def test_an_archived_run_leaves_none_behind(world: World) -> None:
    await world.given(one_node())
    await fails(world)
    archive = Archive(world)
    await archive.round(days=91)

    assert (await archive.hot(), await rows(world)) == ([], [])


class TestPages:
    @pytest.mark.parametrize("limit", [2, 50])
    @pytest.mark.parametrize("is_looked_after", [True, False])
    async def test_whatever_is_asked_for_they_hold_what_the_runs_say(
        self, world: World, limit: int, is_looked_after: bool
    ) -> None:
        runs = await some_of_each_phase(world)
        if is_looked_after:
            await look_after(world)
        views = [await world.view(run) for run in reversed(runs)]

        for phases in (frozenset[RunPhase](), *map(frozenset, SINGLE), *TOGETHER):
            for labels in (SHOP, (("parity", "odd"), *SHOP)):
                wanted = [
                    view.run_id
                    for view in views
                    if view.phase in (phases or RunPhase) and view.labels.items() >= set(labels)
                ]
                assert await listed(world, RunFilter(phases, labels=labels), limit) == wanted

    async def test_workflow_and_time_go_with_label_and_phase(self, world: World) -> None:
        runs = await some_of_each_phase(world)
        await look_after(world)
        times = [(await world.view(run)).started_at for run in runs]
        failed = [run for run in runs if await world.phase(run) is RunPhase.FAILED]

        async def found(**members: Any) -> list[UUID]:
            return await listed(world, RunFilter(FAILED, labels=SHOP, **members))

        assert await found(workflow=("acme", "nightly")) == failed[::-1]
        assert await found(workflow=("acme", "missing")) == []
        assert await found(since=times[runs.index(failed[1])]) == failed[:0:-1]
        assert await found(until=times[runs.index(failed[1])]) == failed[:1]

    async def test_another_tenants_runs_are_not_found_by_theirs(self, world: World) -> None:
        await world.given_workspace("other")
        await world.given(one_node(), "other")
        run = await world.admit(workspace="other", labels=dict(SHOP))
        await world.succeed(run, workspace="other")
        await look_after(world)

        assert await listed(world, RunFilter(ENDED, labels=SHOP)) == []

    @pytest.mark.parametrize(
        ("filters", "tables"),
        [
            (RunFilter(FAILED, labels=SHOP), ["ended_labels", "workflow_executions"]),
            (RunFilter(FAILED), ["workflow_executions"]),
            (RunFilter(FAILED, ("acme", "nightly")), ["workflow_executions"]),
        ],
    )
    async def test_one_of_few_runs_reads_no_more_than_the_page_wherever_it_lies(
        self,
        world: World,
        fresh: TestDatabase,
        monkeypatch: pytest.MonkeyPatch,
        filters: RunFilter,
        tables: list[str],
    ) -> None:
        version = await world.given(one_node())
        await world.rows(A_LONG_HISTORY, world.ids["acme"], version.workflow_id, version.version_id)
        await look_after(world)
        # As Postgres does by itself within a minute.
        with psycopg.connect(fresh.superuser_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE headgate.workflow_executions, headgate.ended_labels")
        page = await world.engine.list_runs(world.ids["acme"], filters, None, 10)
        read = entries_read(monkeypatch)
        more = await world.engine.list_runs(world.ids["acme"], filters, page.next_cursor, 10)

        assert len({run.run_id for run in (*page.runs, *more.runs)}) == 20
        assert {name: count for name, count in read.items() if count} == {
            name: pytest.approx(11, abs=1) for name in tables
        }

    @pytest.mark.parametrize("phases", [FAILED, frozenset[RunPhase]()])
    async def test_one_of_a_workflow_s_few_runs_with_a_label_reads_no_more_either(
        self, world: World, fresh: TestDatabase, monkeypatch: pytest.MonkeyPatch, phases: frozenset[RunPhase]
    ) -> None:
        often, rare = await world.given(one_node()), await world.given(one_node("rare"))
        await world.rows(A_LONG_HISTORY, world.ids["acme"], often.workflow_id, often.version_id)
        await world.rows(A_SHORT_ONE, world.ids["acme"], rare.workflow_id, rare.version_id)
        await look_after(world)
        with psycopg.connect(fresh.superuser_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE headgate.workflow_executions, headgate.ended_labels")
        filters = RunFilter(phases, ("acme", "rare"), labels=SHOP)
        page = await world.engine.list_runs(world.ids["acme"], filters, None, 10)
        read = entries_read(monkeypatch)

        more = await world.engine.list_runs(world.ids["acme"], filters, page.next_cursor, 10)

        assert len({run.run_id for run in (*page.runs, *more.runs)}) == 20
        assert {run.workflow for run in (*page.runs, *more.runs)} == {"rare"}
        assert {name: count for name, count in read.items() if count} == {
            name: pytest.approx(11, abs=1) for name in ("ended_labels", "workflow_executions")
        }


class TestThePast:
    async def test_rows_of_the_release_before_are_given_their_workflow_and_lists_are_right_all_the_time(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recommendations, "MOST_FILLED", 2)
        runs = await some_of_each_phase(world)
        await look_after(world)
        await world.rows("UPDATE headgate.ended_labels SET workflow_id = NULL RETURNING 1")
        await world.rows("UPDATE headgate.upkeep_days SET workflows_from = NULL RETURNING 1")
        of_workflow = RunFilter(labels=SHOP, workflow=("acme", "nightly"))
        assert await listed(world, of_workflow, 2) == runs[::-1]

        while await world.engine.recommendations.make(world.clock.now):
            assert await listed(world, of_workflow, 2) == runs[::-1]
            assert set(await listed(world, RunFilter(ENDED, labels=SHOP), 2)) < set(runs)

        assert await listed(world, of_workflow, 2) == runs[::-1]
        assert await world.rows("SELECT 1 FROM headgate.ended_labels WHERE workflow_id IS NULL") == []

    async def test_it_is_given_its_rows_bit_by_bit_and_lists_are_right_all_the_time(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recommendations, "MOST_FILLED", 2)
        runs = await some_of_each_phase(world)
        ended = [run for run in reversed(runs) if await world.phase(run) in ENDED]
        before = await rows(world)
        await world.rows("DELETE FROM headgate.ended_labels RETURNING 1")
        rounds = 0

        while await world.engine.recommendations.make(world.clock.now):
            rounds += 1
            assert await listed(world, RunFilter(ENDED, labels=SHOP), 2) == ended

        assert rounds > len(runs) // 2
        assert await rows(world) == before
        assert await listed(world, RunFilter(ENDED, labels=SHOP), 2) == ended

    async def test_what_was_looked_after_today_by_the_release_before_is_looked_after_again(self, world: World) -> None:
        await world.given(one_node())
        await fails(world)
        await look_after(world)
        before = await rows(world)
        await world.rows("DELETE FROM headgate.ended_labels RETURNING 1")
        await world.rows("UPDATE headgate.upkeep_days SET labels_from = NULL, workflows_from = NULL RETURNING 1")

        await look_after(world)

        assert await rows(world) == before
        assert not await world.engine.recommendations.make(world.clock.now)

    async def test_a_row_that_is_not_what_its_run_says_is_not_believed_and_goes_with_it(self, world: World) -> None:
        await world.given(one_node())
        await look_after(world)
        await fails(world)
        # As one leaves it that is taken up again and ends while the past is given its rows.
        await world.rows("UPDATE headgate.ended_labels SET status = 'Succeeded' RETURNING 1")

        assert await listed(world, RunFilter(frozenset([RunPhase.SUCCEEDED]), labels=SHOP)) == []
        await world.rows("DELETE FROM headgate.workflow_executions RETURNING 1")
        assert await rows(world) == []


async def some_of_each_phase(world: World) -> list[UUID]:
    """Two runs of each phase with labels, over two months, the oldest first."""
    await world.given_workspace(max_concurrent_runs=4)
    await world.given(one_node())
    runs: list[UUID] = []
    for number in range(2):
        labels = {"team": "shop", "parity": "odd" if number else "even"}
        done, failed, cancelled, suspended, running, waiting = [await world.admit(labels=labels) for _ in range(6)]
        await world.succeed(done)
        await world.fail(failed)
        await world.engine.control.cancel(world.ids["acme"], cancelled, "no")
        await world.engine.control.suspend(world.ids["acme"], suspended, "to look at it")
        runs += [done, failed, cancelled, suspended, running, waiting]
        await world.fail(await world.admit(labels={"team": "web"}))
        world.clock.advance(days=30)
        await world.engine.ensure_partitions(world.clock.now)
    return runs


def entries_read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many entries of indexes are read of each partitioned table from now on."""
    read: Counter[str] = Counter()
    plain = Transaction.rows

    async def counting(
        tx: Transaction, statement: str, parameters: Any = None, *, prepare: bool | None = None
    ) -> list[Any]:
        read.subtract({row.parent: int(row.entries) for row in await plain(tx, ENTRIES)})
        found = await plain(tx, statement, parameters, prepare=prepare)
        read.update({row.parent: int(row.entries) for row in await plain(tx, ENTRIES)})
        return found

    monkeypatch.setattr(Transaction, "rows", counting)
    return read


ENTRIES = """
    SELECT parent.relname AS parent, sum(pg_stat_get_xact_tuples_returned(x.indexrelid)) AS entries
    FROM pg_index x JOIN pg_inherits i ON i.inhrelid = x.indrelid JOIN pg_class parent ON parent.oid = i.inhparent
    WHERE pg_stat_get_xact_tuples_returned(x.indexrelid) > 0
    GROUP BY parent.relname
"""
"""How many entries of its indexes the connection has read of each partitioned table, in what is not counted yet."""

A_LONG_HISTORY = """
    WITH made AS (
        SELECT CAST(lpad(to_hex(1773144000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0') AS uuid) AS id,
            to_timestamp((1773144000000 + n) / 1000.0) AS at, n
        FROM generate_series(1, 4000) n
    )
    INSERT INTO headgate.workflow_executions (workspace_id, id, started_at, workflow_id, version_id, status,
        trigger_kind, trigger_key, trigger_node, inputs, finished_at, duration_ms, labels)
    SELECT %s, id, at, %s, %s, CASE WHEN n %% 20 = 0 THEN 'Failed' ELSE 'Succeeded' END, 'api', 'key-' || n, 'manual',
        '{}', at, 0, '{"team": "shop"}'
    FROM made RETURNING id
"""
"""Four thousand runs with a label, of which one in twenty failed."""

A_SHORT_ONE = (
    A_LONG_HISTORY.replace("generate_series(1, 4000)", "generate_series(1, 4000, 40)")
    .replace("CASE WHEN n %% 20 = 0 THEN 'Failed' ELSE 'Succeeded' END", "'Failed'")
    .replace("70008000", "70008001")
    .replace("'key-'", "'rare-'")
)
"""A hundred among them of another workflow, which all failed."""
