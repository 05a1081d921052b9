"""Reading what happened."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.ids import uuid7_time
from headgate.engine.engine import Engine
from headgate.engine.types import RunFilter
from headgate.store.at_once import OneStatement
from headgate.store.database import Database, Transaction
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.world import World, one_node
from tests.support.databases import TestDatabase


async def listed(world: World, filters: RunFilter | None = None, limit: int = 50) -> list[UUID]:
    """All pages of a list."""
    found: list[UUID] = []
    cursor: str | None = None
    while True:
        page = await world.engine.list_runs(world.ids["acme"], filters or RunFilter(), cursor, limit)
        found += [run.run_id for run in page.runs]
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


async def test_runs_are_listed_newest_first_over_pages_and_months(world: World) -> None:
    await world.given(one_node())
    runs: list[UUID] = []
    for _ in range(7):
        runs.append(await world.admit())
        world.clock.advance(days=20)
        await world.engine.ensure_partitions(world.clock.now)

    assert await listed(world, limit=2) == runs[::-1]


async def test_runs_of_the_same_millisecond_are_neither_lost_nor_repeated(world: World) -> None:
    await world.given(one_node())
    requests = [world.request() for _ in range(9)]
    answers = [await world.engine.admit(request) for request in requests]

    assert len(answers) == len(await listed(world, limit=2)) == len(set(await listed(world, limit=2)))


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_runs_are_listed_by_phase_and_by_workflow(world: World, limit: int) -> None:
    await world.given(one_node())
    await world.given(one_node("weekly"))
    done, failed, open_run = await world.admit(), await world.admit(), await world.admit()
    weekly = await world.admit("weekly")
    await world.succeed(done, "work")
    await world.fail(failed, "work")

    succeeded, both = frozenset([RunPhase.SUCCEEDED]), frozenset([RunPhase.FAILED, RunPhase.SUCCEEDED])
    assert await listed(world, RunFilter(phases=succeeded), limit) == [done]
    assert await listed(world, RunFilter(phases=both), limit) == [failed, done]
    assert await listed(world, RunFilter(workflow=("acme", "nightly")), limit) == [open_run, failed, done]
    assert await listed(world, RunFilter(both, ("acme", "nightly")), limit) == [failed, done]
    assert await listed(world, RunFilter(workflow=("acme", "weekly")), limit) == [weekly]
    assert await listed(world, RunFilter(workflow=("acme", "missing")), limit) == []


async def test_runs_of_a_workflow_that_is_gone_can_still_be_listed(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")
    assert await listed(world, RunFilter(workflow=("acme", "nightly"))) == [run]


async def test_a_list_refuses_what_is_no_cursor_and_no_limit(world: World) -> None:
    for cursor in ("x", "019aaf00-0000-4000-8000-000000000000"):
        with pytest.raises(ValueError, match="cursor"):
            await world.engine.list_runs(world.ids["acme"], RunFilter(), cursor)
    for limit in (0, 501):
        with pytest.raises(ValueError, match="limit"):
            await world.engine.list_runs(world.ids["acme"], RunFilter(), None, limit)


def repeated() -> WorkflowBuilder:
    """A workflow with a node that is tried twice at most, and one that is never reached where it fails."""
    return (
        a_workflow("nightly")
        .with_node("work", retry={"limit": 1, "initialDelay": "0s"})
        .with_node("after", after=["work"])
    )


async def test_all_attempts_of_a_run_are_told(world: World) -> None:
    await world.given(repeated())
    run = await world.admit()
    await world.fail(run, "work", reason="OOMKilled")
    await world.succeed(run, "work", {"rows": 1}, attempt=2)

    told = await world.engine.run_attempts(world.ids["acme"], run)

    assert [(item.id, item.attempt, item.phase, item.reason, item.output) for item in told] == [
        ("after", 1, NodePhase.QUEUED, "", None),
        ("work", 1, NodePhase.FAILED, "OOMKilled", None),
        ("work", 2, NodePhase.SUCCEEDED, "", {"rows": 1}),
    ]
    assert await world.engine.run_attempts(UUID(int=1), run) == ()


async def test_a_run_is_found_by_the_key_of_its_request(world: World) -> None:
    await world.given(one_node())
    run = await world.admit(key="resource:1", resource="nightly-1")

    view = await world.engine.run_by_key(world.ids["acme"], "resource:1")

    assert view is not None
    assert (view.run_id, view.resource, view.namespace, view.workflow) == (run, "nightly-1", "acme", "nightly")
    assert await world.engine.run_by_key(world.ids["acme"], "resource:2") is None


async def test_ids_that_no_run_can_have_are_not_found(world: World) -> None:
    for identifier in (UUID(int=0), UUID("019aaf00-0000-4000-8000-000000000000"), UUID(int=2**128 - 1)):
        assert await world.engine.run_view(world.ids["acme"], identifier) is None


def plan(database: TestDatabase, workspace_id: UUID, query: str, *parameters: Any) -> str:
    """How the app role's query is carried out."""
    with psycopg.connect(database.url) as connection:
        connection.execute("SET ROLE headgate_app")
        connection.execute("SELECT set_config('app.workspace_id', %s, false)", [str(workspace_id)])
        # Whatever statistics other tests left behind: what the indexes allow is asked for.
        connection.execute("SET enable_seqscan = off; SET enable_sort = off")
        rows = connection.execute(f"EXPLAIN (COSTS OFF) {query}".encode(), parameters)
        return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize(
    ("table", "column"), [("workflow_executions", "id"), ("workflow_execution_steps", "execution_id")]
)
async def test_a_look_up_by_id_reads_one_partition(world: World, fresh: TestDatabase, table: str, column: str) -> None:
    await world.given(one_node())
    run = await world.admit()

    how = plan(
        fresh,
        world.ids["acme"],
        f"SELECT * FROM headgate.{table} WHERE workspace_id = %s AND started_at = %s AND {column} = %s",
        world.ids["acme"],
        uuid7_time(run),
        run,
    )

    assert f"{table}_2026_03" in how
    assert how.count("Index Scan") == 1
    assert "Append" not in how


async def test_what_people_look_at_is_planned_once_for_a_connection(world: World, fresh: TestDatabase) -> None:
    await world.given(one_node())
    run = await world.admit()
    single = Database(fresh.url, pool_size=1)
    engine = Engine(single, world.expressions, clock=world.clock)
    await engine.list_runs(world.ids["acme"], RunFilter())
    await engine.run_view(world.ids["acme"], run)

    async with single.system() as tx:
        planned = await tx.rows("SELECT generic_plans, custom_plans FROM pg_prepared_statements")
    await single.close()
    assert [tuple(row) for row in planned] == [(1, 0), (1, 0)]


async def test_showing_a_run_reads_one_partition_of_each_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.given(one_node())
    run = await world.admit(labels={"team": "shop"})
    await world.fail(run, "work")
    touched: set[str] = set()
    row = OneStatement.row

    async def explaining(
        tx: OneStatement, statement: str, parameters: Any = None, *, prepare: bool | None = None
    ) -> Any:
        if "workflow_executions" in statement:
            async with world.database.tenant(world.ids["acme"]) as explained:
                plan = await explained.one(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            touch(plan[0][0]["Plan"], touched)
        return await row(tx, statement, parameters, prepare=prepare)

    monkeypatch.setattr(OneStatement, "row", explaining)
    assert await world.engine.run_view(world.ids["acme"], run) is not None

    of_months = {table for table in touched if re.search(r"_\d{4}_\d\d$", table)}
    assert of_months == {"workflow_executions_2026_03", "workflow_execution_steps_2026_03"}


async def test_the_newest_runs_are_read_in_index_order_without_sorting(world: World, fresh: TestDatabase) -> None:
    acme = world.ids["acme"]
    newest = plan(
        fresh,
        acme,
        "SELECT id FROM headgate.workflow_executions WHERE workspace_id = %s"
        " ORDER BY started_at DESC, id DESC LIMIT 50",
        acme,
    )
    by_status = plan(
        fresh,
        acme,
        "SELECT duration_ms, error_message FROM headgate.workflow_executions"
        " WHERE workspace_id = %s AND status = 'Failed' ORDER BY started_at DESC LIMIT 50",
        acme,
    )
    assert "Sort" not in newest
    assert "Sort" not in by_status
    assert "Index Only Scan" in by_status


async def test_a_run_and_its_steps_lie_in_the_partition_of_the_month_of_its_id(world: World) -> None:
    await world.given(one_node())
    world.clock.now = datetime(2026, 3, 31, 23, 59, 59, 998_000, tzinfo=UTC)
    run = await world.admit()
    world.clock.advance(hours=1)
    await world.succeed(run, "work")

    for table in ("workflow_executions", "workflow_execution_steps"):
        rows = await world.rows(f"SELECT DISTINCT tableoid::regclass::text AS partition FROM headgate.{table}")
        assert rows == [{"partition": f"headgate.{table}_2026_03"}]


class TestLabels:
    async def test_runs_are_listed_by_one_label_or_by_several_over_pages_and_months(self, world: World) -> None:
        await world.given(one_node())
        shop: list[UUID] = []
        for number in range(5):
            shop.append(await world.admit(labels={"team": "shop", "parity": "odd" if number % 2 else "even"}))
            await world.admit(labels={"team": "web"})
            world.clock.advance(days=20)
            await world.engine.ensure_partitions(world.clock.now)

        assert await listed(world, RunFilter(labels=(("team", "shop"),)), limit=2) == shop[::-1]
        assert await listed(world, RunFilter(labels=(("team", "shop"), ("parity", "odd"))), 1) == [shop[3], shop[1]]
        assert await listed(world, RunFilter(labels=(("parity", "odd"), ("team", "web")))) == []
        assert await listed(world, RunFilter(labels=(("team", "nobody"),))) == []

    async def test_all_filters_go_together(self, world: World) -> None:
        await world.given(one_node())
        await world.given(one_node("weekly"))
        label = {"team": "shop"}
        before = await world.admit(labels=label)
        since = world.clock.advance(seconds=1)
        failed, open_run, weekly = [await world.admit(name, labels=label) for name in ("nightly", "nightly", "weekly")]
        await world.fail(failed, "work")

        labels = (("team", "shop"),)
        assert await listed(world, RunFilter(frozenset([RunPhase.FAILED]), labels=labels)) == [failed]
        assert await listed(world, RunFilter(workflow=("acme", "nightly"), labels=labels)) == [open_run, failed, before]
        assert await listed(world, RunFilter(since=since, labels=labels)) == [weekly, open_run, failed]
        assert await listed(world, RunFilter(until=since, labels=labels)) == [before]

    async def test_another_tenants_runs_are_not_found_by_theirs(self, world: World) -> None:
        await world.given_workspace("other")
        await world.given(one_node(), "other")
        await world.admit(workspace="other", labels={"team": "shop"})

        assert await listed(world, RunFilter(labels=(("team", "shop"),))) == []

    @pytest.mark.parametrize(
        ("labels", "what"),
        [
            ({"headgate.dev/run": "x"}, "Headgate's own"),
            ({"-a": "x"}, "a label's key"),
            ({"a/b/c": "x"}, "a label's key"),
            ({"a": "two words"}, "the value of label a"),
            ({f"k{number}": "" for number in range(33)}, "32 labels at most"),
            ({f"{'k' * 60}{number}": "v" * 63 for number in range(32)} | {"x": "y"}, "labels at most"),
            ({f"{'d' * 200}/{number}": "" for number in range(25)}, "4096 bytes"),
        ],
    )
    async def test_what_cannot_be_kept_is_refused_with_what_to_change(
        self, world: World, labels: dict[str, str], what: str
    ) -> None:
        await world.given(one_node())

        refused = await world.refused(labels=labels)

        assert refused.reason == "InvalidLabels"
        assert what in refused.message

    async def test_a_page_of_the_runs_with_a_label_reads_no_more_than_the_page(
        self, world: World, fresh: TestDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = await world.given(one_node())
        await world.rows(SOME_HISTORY, world.ids["acme"], record.workflow_id, record.version_id)
        # As Postgres does by itself within a minute: until then it plans for what other tests left.
        with psycopg.connect(fresh.superuser_url, autocommit=True) as connection:
            connection.execute("ANALYZE headgate.workflow_executions, headgate.execution_labels")
        explained: list[dict[str, Any]] = []
        rows = Transaction.rows

        async def explaining(
            tx: Transaction, statement: str, parameters: Any = None, *, prepare: bool | None = None
        ) -> list[Any]:
            if "execution_labels" in statement:
                plan = await rows(tx, f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
                explained.append(plan[0][0][0]["Plan"])
                walk(explained[-1], read)
            return await rows(tx, statement, parameters, prepare=prepare)

        read: dict[str, float] = {}
        monkeypatch.setattr(Transaction, "rows", explaining)
        page = await world.engine.list_runs(world.ids["acme"], RunFilter(labels=(("team", "shop"),)), None, 10)
        more = await world.engine.list_runs(
            world.ids["acme"], RunFilter(labels=(("team", "shop"),)), page.next_cursor, 10
        )

        assert len({run.run_id for run in (*page.runs, *more.runs)}) == 20
        assert len(explained) == 2
        assert read["execution_labels"] <= 2 * 11
        assert read["workflow_executions"] <= 2 * 11


SOME_HISTORY = """
    WITH made AS (
        SELECT CAST(lpad(to_hex(1773144000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0') AS uuid) AS id,
            to_timestamp((1773144000000 + n) / 1000.0) AS at, n
        FROM generate_series(1, 2000) n
    )
    INSERT INTO headgate.workflow_executions (workspace_id, id, started_at, workflow_id, version_id, status,
        trigger_kind, trigger_key, trigger_node, inputs, finished_at, duration_ms, labels)
    SELECT %s, id, at, %s, %s, 'Succeeded', 'api', 'key-' || n, 'manual', '{}', at, 0,
        CASE WHEN n %% 2 = 0 THEN '{"team": "shop"}' ELSE '{"team": "web"}' END::jsonb
    FROM made RETURNING id
"""
"""Two thousand runs, each with one of two labels."""


def touch(node: dict[str, Any], touched: set[str]) -> None:
    """Add the tables that were read at all."""
    if "Relation Name" in node and node["Actual Loops"]:
        touched.add(node["Relation Name"])
    for inner in node.get("Plans", ()):
        touch(inner, touched)


def walk(node: dict[str, Any], read: dict[str, float]) -> None:
    """Add up the rows that were read of every table, those included that were thrown away."""
    if "Relation Name" in node:
        table = re.sub(r"_\d{4}_\d\d$", "", node["Relation Name"])
        rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        read[table] = read.get(table, 0) + rows * node["Actual Loops"]
    for inner in node.get("Plans", ()):
        walk(inner, read)
