"""Finding runs and workflows by their words."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from headgate.domain.search import SearchKind
from headgate.engine.reading.search import Hit
from headgate.engine.types import Outcome
from headgate.store.search import _RUNS
from tests.builders import a_workflow
from tests.component.world import World, one_node
from tests.support.databases import TestDatabase


async def found(world: World, kind: SearchKind, query: str, limit: int = 50, workspace: str = "acme") -> list[Hit]:
    """All pages of a search."""
    hits: list[Hit] = []
    cursor: str | None = None
    while True:
        page = await world.engine.search.find(world.ids[workspace], kind, query, cursor, limit)
        hits += page.items
        if page.next_cursor is None:
            return hits
        cursor = page.next_cursor


async def runs(world: World, query: str, limit: int = 50) -> list[UUID | None]:
    return [hit.run_id for hit in await found(world, SearchKind.RUN, query, limit)]


async def workflows(world: World, query: str, limit: int = 50) -> list[str]:
    return [hit.workflow for hit in await found(world, SearchKind.WORKFLOW, query, limit)]


async def failed(world: World, message: str, workspace: str = "acme", reason: str = "ExitCode") -> UUID:
    """A run of one node that ended with that."""
    run = await world.admit(workspace=workspace)
    outcome = Outcome(False, reason=reason, message=message, exit_code=3)
    await world.engine.complete(world.ref(run, "work", workspace=workspace), outcome)
    return run


SOME_DOCUMENTS = """
    INSERT INTO headgate.run_documents
    SELECT w, CAST('2026-03-10' AS timestamptz) + n * interval '1 s', gen_random_uuid(),
        headgate.document(w, 'exit code ' || n || CASE WHEN n %% 1000 = 0 THEN ' disk' ELSE '' END)
    FROM generate_series(1, 4000) n, (SELECT CAST(%s AS uuid) AS w) of RETURNING 1
"""
"""The words of four thousand errors, few of which have a rare one."""


class TestRuns:
    async def test_they_are_found_by_their_errors_the_newest_first_over_pages_and_months(self, world: World) -> None:
        await world.given(one_node())
        full: list[UUID] = []
        for _ in range(5):
            full.append(await failed(world, "No space left on device"))
            await failed(world, "connection refused by db-1.example.com:5432")
            world.clock.advance(days=20)
            await world.engine.ensure_partitions(world.clock.now)

        assert await runs(world, "space device", limit=2) == full[::-1]
        assert await runs(world, "space device") == full[::-1]

    @pytest.mark.parametrize(
        ("query", "is_found"),
        [
            ("REFUSED connection", True),
            ('"connection refused"', True),
            ('"refused connection"', False),
            ("refused -connection", False),
            ("teapot or refused", True),
            ("exitcode", True),
            ("exit code", True),
            ("db-1.example.com", True),
            ("1.example.com:5432", True),
            ("db-1.com", False),
            ("-db-1.example.com", False),
            ("ExitCode", True),
            ("WORK:EXITCODE", True),
            ("example 5432", True),
            ("work", True),
            ("refus", False),
            ("or", False),
            ("-teapot", True),
        ],
    )
    async def test_words_go_together_as_people_write_them(self, world: World, query: str, is_found: bool) -> None:
        await world.given(one_node())
        run = await failed(world, "connection refused by db-1.example.com:5432")

        assert await runs(world, query) == ([run] if is_found else [])

    async def test_a_hit_tells_which_run_it_is_and_why_it_failed(self, world: World) -> None:
        await world.given(one_node())
        run = await failed(world, "disk full")

        [hit] = await found(world, SearchKind.RUN, "disk")

        assert (hit.run_id, hit.workflow, hit.text, hit.phase) == (
            run,
            "nightly",
            "work: ExitCode: disk full",
            "Failed",
        )
        assert hit.at == (await world.view(run)).started_at

    async def test_one_that_is_taken_up_again_is_not_found_until_it_fails_anew(self, world: World) -> None:
        await world.given(one_node())
        run = await failed(world, "disk full")
        await world.engine.control.retry(world.ids["acme"], run, 1)
        assert await runs(world, "disk") == []
        assert await world.rows("SELECT FROM headgate.run_documents") == []

        await world.engine.complete(world.ref(run, "work", 2), Outcome(False, reason="ExitCode", message="no route"))

        assert await runs(world, "disk") == []
        assert await runs(world, "route") == [run]

    async def test_one_that_is_deleted_leaves_no_words_behind(self, world: World) -> None:
        await world.given(one_node())
        await failed(world, "disk full")
        await world.rows("DELETE FROM headgate.workflow_executions RETURNING 1")

        assert await world.rows("SELECT FROM headgate.run_documents") == []

    async def test_one_that_succeeds_has_no_words(self, world: World) -> None:
        await world.given(one_node())
        await world.succeed(await world.admit())

        assert await world.rows("SELECT FROM headgate.run_documents") == []

    async def test_words_alone_open_no_other_tenants_runs(self, world: World) -> None:
        await world.given_workspace("other")
        for workspace in ("acme", "other"):
            await world.given(one_node(), workspace)
        theirs = await failed(world, "disk full", "other")
        ours = await failed(world, "disk full")

        assert await runs(world, "disk") == [ours]
        assert await runs(world, f"disk {world.ids['other']}") == []
        assert [hit.run_id for hit in await found(world, SearchKind.RUN, "disk", workspace="other")] == [theirs]

    async def test_they_are_found_by_an_index_of_words_that_holds_the_workspace(
        self, world: World, fresh: TestDatabase
    ) -> None:
        await world.rows(SOME_DOCUMENTS, world.ids["acme"])
        with psycopg.connect(fresh.superuser_url, autocommit=True) as connection:
            connection.execute("ANALYZE headgate.run_documents")
        with psycopg.connect(fresh.url) as connection:
            connection.execute("SET ROLE headgate_system")
            given = {"workspace_id": world.ids["acme"], "words": "disk", "limit": 10}
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN (COSTS OFF) {_RUNS}".encode(), given))

        assert "Bitmap Index Scan on run_documents_2026_03_document_idx" in plan
        assert f"'''of {world.ids['acme']}'' & ''disk'''" in plan.split("Index Cond", 1)[1]


class TestWorkflows:
    async def test_they_are_found_by_name_display_name_namespace_and_nodes_the_best_first(self, world: World) -> None:
        await world.given(a_workflow("uses-orders").with_node("load-orders"))
        await world.given(a_workflow("orders").with_node("work"))
        await world.given(a_workflow("billing").with_node("send").with_spec(displayName="Monthly invoices"))

        assert await workflows(world, "orders") == ["orders", "uses-orders"] or await workflows(world, "orders") == [
            "uses-orders",
            "orders",
        ]
        assert await workflows(world, "load") == ["uses-orders"]
        assert await workflows(world, "invoices") == ["billing"]
        assert len(await workflows(world, "acme")) == 3

    async def test_a_name_weighs_more_than_a_node(self, world: World) -> None:
        await world.given(a_workflow("a").with_node("orders"))
        await world.given(a_workflow("orders").with_node("b"))
        await world.given(a_workflow("c").with_node("orders"))

        assert (await workflows(world, "orders", limit=1))[0] == "orders"
        assert sorted(await workflows(world, "orders", limit=1)) == ["a", "c", "orders"]

    async def test_what_counts_is_the_current_version(self, world: World) -> None:
        await world.given(a_workflow("nightly").with_node("extract"))
        await world.given(a_workflow("nightly").with_node("publish"))

        assert await workflows(world, "extract") == []
        [hit] = await found(world, SearchKind.WORKFLOW, "publish")
        assert (hit.namespace, hit.workflow, hit.version, hit.text) == ("acme", "nightly", 2, "")

    async def test_one_that_is_retired_is_not_found(self, world: World) -> None:
        await world.given(one_node())
        await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")

        assert await workflows(world, "nightly") == []
        assert await world.rows("SELECT FROM headgate.workflow_documents") == []

    async def test_words_alone_open_no_other_tenants_workflows(self, world: World) -> None:
        await world.given_workspace("other")
        await world.given(one_node("plans"), "other")

        assert await workflows(world, "plans") == []


async def test_what_cannot_be_looked_for_is_refused_with_what_to_change(world: World) -> None:
    find, acme = world.engine.search.find, world.ids["acme"]
    for kind in SearchKind:
        with pytest.raises(ValueError, match="no word"):
            await find(acme, kind, "...")
        with pytest.raises(ValueError, match="limit"):
            await find(acme, kind, "disk", limit=501)
        with pytest.raises(ValueError, match="cursor"):
            await find(acme, kind, "disk", "x")
