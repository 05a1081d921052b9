"""Runs that ended long ago move to the archive, are read there as before, and are nowhere twice."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from headgate.api.quota import Limits
from headgate.api.retention import Retention
from headgate.api.workflow_run import RunPhase
from headgate.domain.archive import files_of_record
from headgate.engine.archive.files import ArchiveDamaged
from headgate.engine.archive.reading import NoArchive
from headgate.engine.types import RunFilter, WorkspaceRecord
from headgate.objects.parquet import decode
from headgate.store.errors import RunFrozen
from tests.component.archived import Archive, finished
from tests.component.replica import Killed
from tests.component.world import World, calling, chain, one_node


async def given_retention(world: World, retention: Retention, workspace: str = "acme") -> None:
    record = WorkspaceRecord(workspace, Limits(), suspended=False, retention=retention)
    world.ids[workspace] = await world.engine.workspaces.sync(record)


async def test_a_run_moves_when_its_retention_has_passed_and_is_shown_as_before(archive: Archive) -> None:
    world = archive.world
    old = await finished(world, inputs={"day": "monday"}, labels={"team": "shop"})
    failed = await world.admit()
    await world.fail(failed)
    before = await archive.views(old, failed)
    listed = await archive.listed()
    await archive.round(days=89)
    assert await archive.hot() == [old, failed]

    done = await archive.round(days=2)

    assert (done.runs, done.parts, done.failed) == (2, 1, {})
    assert await archive.hot() == []
    assert await archive.archived() == [old, failed]
    assert await archive.views(old, failed) == before
    assert (await world.view(old)).archived
    assert await archive.listed() == listed


async def test_every_column_is_in_the_files_as_it_was(archive: Archive) -> None:
    run = await finished(archive.world, inputs={"day": "é"}, labels={"team": "shop"})
    tables = {"runs": "workflow_executions", "steps": "workflow_execution_steps"}
    before = {kind: (await archive.world.rows(f"SELECT * FROM headgate.{table}"))[0] for kind, table in tables.items()}
    await archive.round(days=91)

    [part] = await archive.parts()
    for kind, row in before.items():
        file = files_of_record(part["files"])[kind]  # type: ignore[arg-type]
        content = await archive.objects.get(file.path)
        key = "id" if kind == "runs" else "execution_id"
        [found] = decode(content, row, by=key, wanted=frozenset({str(run)}))
        for name, value in row.items():
            if isinstance(value, dict | list):
                assert json.loads(found[name]) == value, name
            elif isinstance(value, UUID):
                assert found[name] == str(value), name
            else:
                assert found[name] == value, name


async def test_a_manifest_beside_the_files_says_what_is_in_them(archive: Archive) -> None:
    run = await finished(archive.world)
    await archive.round(days=91)

    [manifest] = [path for path in await archive.paths() if path.endswith(".json")]
    assert manifest.startswith(f"archive/{archive.world.ids['acme']}/runs/2026-03/")
    said = json.loads(await archive.objects.get(manifest))
    assert (said["schemaVersion"], said["month"], said["firstRun"], said["lastRun"]) == (
        1,
        "2026-03",
        str(run),
        str(run),
    )
    assert sorted(file["path"] for file in said["files"].values()) == [
        path for path in await archive.paths() if path.endswith(".parquet")
    ]


async def test_what_belongs_to_a_run_that_has_not_ended_stays(archive: Archive) -> None:
    world = archive.world
    await world.given(calling().with_node("work", after=["call"]))
    caller = await world.admit("caller")
    await chain(world)
    [called] = [run for run in await archive.hot() if run != caller]
    await world.succeed(called)
    await chain(world)
    assert (await world.phase(called), await world.phase(caller)) == (RunPhase.SUCCEEDED, RunPhase.RUNNING)

    await archive.round(days=91)
    assert await archive.hot() == [caller, called]

    await world.succeed(caller)
    await archive.round(days=91)
    assert await archive.hot() == []


async def test_a_legal_hold_keeps_everything_where_it_is(archive: Archive) -> None:
    world = archive.world
    run = await finished(world)
    await given_retention(world, Retention(legal_hold=True))

    done = await archive.round(days=91)
    assert (done.held, await archive.hot(), await archive.paths()) == (1, [run], [])

    await given_retention(world, Retention())
    await archive.round()
    await given_retention(world, Retention(legal_hold=True))
    await archive.round(days=4000)
    assert await archive.archived() == [run]


async def test_each_workspace_has_its_own_time_and_its_own_archive(archive: Archive) -> None:
    world = archive.world
    await world.given_workspace("other")
    await world.given(one_node(), "other")
    mine = await finished(world)
    theirs = await world.admit(workspace="other")
    await world.succeed(theirs, workspace="other")
    await given_retention(world, Retention(execution_days=1))

    await archive.round(days=2)

    assert (await archive.archived(), await archive.archived("other")) == ([mine], [])
    assert await archive.hot("other") == [theirs]
    assert await world.engine.run_view(world.ids["other"], mine) is None


async def test_rows_that_come_late_are_archived_later(archive: Archive) -> None:
    world = archive.world
    first, last = await finished(world), await finished(world)
    late = await finished(world)
    await world.rows(
        "UPDATE headgate.workflow_executions SET finished_at = finished_at + interval '120 days'"
        " WHERE id = %s RETURNING 1",
        last,
    )
    await archive.round(days=91)
    assert (await archive.archived(), await archive.hot()) == ([first, late], [last])

    await archive.round(days=120)

    assert await archive.archived() == [first, last, late]
    assert len(await archive.parts()) == 2


async def test_storage_is_given_back_to_the_byte_and_that_of_logs_with_them(archive: Archive) -> None:
    world = archive.world
    run = await finished(world, inputs={"day": "é"})
    path = f"{world.ids['acme']}/2026-03/{run}/work.1.log"
    await archive.logs.put(path, b"hello")
    assert await world.engine.logs.record(world.ref(run, "work"), path, 5, truncated=False)
    assert (await world.usage())["storage_bytes"] == len('{"day": "é"}'.encode()) + len('{"rows": 7}') + 5

    await archive.round(days=91)
    assert (await world.usage())["storage_bytes"] == 5
    kept = await world.engine.logs.of(world.ids["acme"], run, "work")
    assert kept is not None
    assert (kept.path, kept.size) == (path, 5)

    await archive.round(days=2555)
    assert (await world.usage())["storage_bytes"] == 0
    assert [item async for item in archive.logs.list("")] == []
    assert (await archive.paths(), await archive.parts()) == ([], [])
    assert await world.engine.run_view(world.ids["acme"], run) is None


async def test_a_month_goes_as_a_whole_when_all_of_it_is_archived(archive: Archive) -> None:
    world = archive.world
    run = await finished(world)
    await archive.engine.ensure_partitions(world.clock.now + timedelta(days=120))

    done = await archive.round(days=121)

    assert done.removed == 0
    assert await partitions_of(world, "2026_03") == []
    assert [part["state"] for part in await archive.parts()] == ["Settled"]
    assert (await world.view(run)).phase is RunPhase.SUCCEEDED


async def test_a_month_with_a_run_that_is_not_archived_stays(archive: Archive) -> None:
    world = archive.world
    await finished(world)
    waiting = await world.admit()

    done = await archive.round(days=121)

    assert (done.removed, await archive.hot()) == (1, [waiting])
    assert len(await partitions_of(world, "2026_03")) == 6


async def test_a_month_that_somebody_reads_for_long_goes_row_by_row_and_then_as_a_whole(archive: Archive) -> None:
    world = archive.world
    run = await finished(world)
    async with await psycopg.AsyncConnection.connect(world.superuser_url) as reader:
        await reader.execute("LOCK TABLE headgate.workflow_executions IN ACCESS SHARE MODE")
        done = await archive.round(days=121)
    assert (done.removed, done.months, await archive.hot()) == (1, 0, [])
    assert len(await partitions_of(world, "2026_03")) == 6

    assert (await archive.round()).months > 0
    assert await partitions_of(world, "2026_03") == []
    assert await archive.archived() == [run]


async def partitions_of(world: World, month: str) -> list[str]:
    rows = await world.rows(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE %s", f"%{month}"
    )
    return [row["relname"] for row in rows]


async def test_a_run_that_is_being_moved_is_not_taken_up_again(archive: Archive) -> None:
    world = archive.world
    run = await world.admit()
    await world.fail(run)
    await world.rows(
        "INSERT INTO headgate.archive_parts"
        " SELECT %s, gen_random_uuid(), '2026-03-01', 'Writing', %s, now() RETURNING 1",
        world.ids["acme"],
        world.clock.advance(days=1),
    )

    with pytest.raises(RunFrozen, match="moved to the archive"):
        await world.engine.control.retry(world.ids["acme"], run, 1)


async def test_what_was_damaged_on_its_way_is_not_deleted(archive: Archive) -> None:
    """The store says yes, and keeps something else."""
    world = archive.world
    run = await finished(world)
    put = archive.objects.put

    async def damaging(path: str, content: bytes) -> None:
        await put(path, content[:-9] + b"123456789")

    archive.objects.put = damaging  # type: ignore[method-assign, assignment]
    done = await archive.round(days=91)
    assert list(done.failed) == [world.ids["acme"]]
    assert await archive.hot() == [run]
    archive.objects.put = put  # type: ignore[method-assign]
    assert (await archive.round()).failed == {}
    assert (await archive.archived(), await archive.hot()) == ([run], [])
    assert len(await archive.paths()) == 3


async def test_what_was_written_before_a_kill_and_does_not_count_is_deleted(archive: Archive) -> None:
    """The part is written anew with a run more, so that its files have other names."""
    world, began = archive.world, archive.world.clock.now
    first = await finished(world)
    put = archive.objects.put

    async def killed(path: str, content: bytes) -> None:
        if path.endswith(".json"):
            raise Killed
        await put(path, content)

    archive.objects.put = killed  # type: ignore[method-assign, assignment]
    with pytest.raises(Killed):
        await archive.round(days=91)
    archive.objects.put = put  # type: ignore[method-assign]
    later, world.clock.now = world.clock.now, began + timedelta(hours=1)
    second = await finished(world)
    world.clock.now = later

    await archive.round()

    assert await archive.archived() == [first, second]
    assert len(await archive.paths()) == 3


async def test_what_is_damaged_later_is_told_and_not_shown(archive: Archive) -> None:
    run = await finished(archive.world)
    await archive.round(days=91)
    for path in await archive.paths():
        await archive.objects.put(path, b"something else")

    with pytest.raises(ArchiveDamaged, match="checksum"):
        await archive.world.view(run)


async def test_who_does_not_know_where_the_archive_is_says_so(archive: Archive) -> None:
    world = archive.world
    run = await finished(world)
    await archive.round(days=91)

    with pytest.raises(NoArchive):
        await world.another_engine().run_view(world.ids["acme"], run)


async def test_pages_go_on_in_the_archive_in_one_order(archive: Archive) -> None:
    world = archive.world
    expected = []
    for number in range(12):
        workflow = "nightly" if number % 3 else "other"
        expected.append(await finished(world, workflow, labels={"n": str(number % 2)}))
        if number in (3, 7):
            await archive.round(days=91)
    before = await archive.listed()
    assert [run.run_id for run in before] == expected[::-1]
    assert len(await archive.hot()) == 4

    for limit in (1, 3, 5, 12):
        assert await archive.listed(limit=limit) == before
    for filters in (
        RunFilter(labels=(("n", "1"),)),
        RunFilter(workflow=("acme", "other")),
        RunFilter(phases=frozenset({RunPhase.SUCCEEDED})),
        RunFilter(phases=frozenset({RunPhase.FAILED})),
        RunFilter(since=before[9].started_at, until=before[2].started_at),
    ):
        wanted = [
            run
            for run in before
            if (not filters.labels or run.labels["n"] == "1")
            and (filters.workflow is None or run.workflow == "other")
            and (not filters.phases or run.phase in filters.phases)
            and (filters.since is None or run.started_at >= filters.since)
            and (filters.until is None or run.started_at < filters.until)
        ]
        assert await archive.listed(filters, limit=2) == wanted


async def test_the_daily_round_is_due_at_two_and_done_once(archive: Archive) -> None:
    world = archive.world
    await finished(world)
    world.clock.now = world.clock.now.replace(hour=1, minute=0) + timedelta(days=91)

    first = await archive.archiver.run_due(world.clock.now)
    again = await archive.archiver.run_due(world.clock.advance(minutes=30))
    after_two = await archive.archiver.run_due(world.clock.advance(minutes=31))

    assert first is not None
    assert first.runs == 1
    assert again is None
    assert after_two is not None


async def test_what_it_costs_in_messages_to_postgres(archive: Archive, sent: list[str]) -> None:
    """docs/design/0026 gives the same numbers."""
    world, acme = archive.world, archive.world.ids["acme"]
    run = await finished(world)

    async def counted(work: Awaitable[object]) -> int:
        sent.clear()
        await work
        return len(sent)

    async def of_round() -> int:
        """Of a round, but for its look at each month."""
        months = await world.rows("SELECT headgate.months_before(%s)", world.clock.now)
        return await counted(archive.archiver.run(world.clock.now, acme)) - 4 * len(months)

    await archive.archiver.run(world.clock.now, acme)
    idle, listing = await of_round(), await counted(archive.listed())
    world.clock.advance(days=91)
    moving, view = await of_round(), await counted(world.view(run))

    assert (idle, moving - idle, listing, view) == (25, 31, 4, 5)
