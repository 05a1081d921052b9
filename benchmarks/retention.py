"""What an archived month leaves, and how fast it goes, on an embedded Postgres and a folder.

    python -m benchmarks.retention [--runs 200000] [--workspaces 20]

A month that was over long ago is put there by COPY, from a fixed seed: runs of two steps with inputs, outputs, labels.
The issue's figure is a month of 10 million runs a year of 1,000 workspaces: ``--runs 833000 --workspaces 1000``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

import psycopg

from benchmarks.engine import NoExpressions, a_chain, a_server
from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER
from headgate.api.quota import Limits
from headgate.domain.archive import month_of
from headgate.domain.ids import uuid7
from headgate.engine.engine import Engine
from headgate.engine.types import RunFilter, WorkspaceRecord
from headgate.objects.object_store import ObjectStore
from headgate.store import migrate
from headgate.store.archive import months
from headgate.store.database import Database

TABLES = (
    "workflow_executions",
    "workflow_execution_steps",
    "execution_labels",
    "ended_labels",
    "execution_triggers",
    "archive_parts",
)
_RUN = (
    "workspace_id, id, started_at, workflow_id, version_id, status, trigger_kind, trigger_key, trigger_node, inputs,"
    " running_since, finished_at, duration_ms, error_message, labels"
)
_STEP = (
    "workspace_id, execution_id, started_at, node, attempt, phase, reason, message, exit_code, output,"
    " attempt_started_at, attempt_finished_at, log_path, log_bytes, log_truncated"
)
LOOKS = 40


def _now() -> datetime:
    return datetime.now(UTC)


def _old_month() -> datetime:
    """A month that was over more than 90 days ago, and a week before its end."""
    return (_now() - timedelta(days=160)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def runs_of(
    ids: list[tuple[UUID, UUID, UUID]], count: int
) -> Iterator[tuple[tuple[object, ...], list[tuple[object, ...]]]]:
    """Rows of runs, in the order of their time, and of their steps."""
    dice, month = random.Random(7), _old_month()
    for number in range(count):
        workspace, workflow, version = ids[number % len(ids)]
        at = month + timedelta(milliseconds=int(27 * 86_400_000 * number / count))
        run = uuid7(at, dice.randbytes(10))
        took = dice.randint(500, 60_000)
        end, failed = at + timedelta(milliseconds=took), number % 50 == 0
        labels = json.dumps({"team": dice.choice(("shop", "billing", "search"))})
        inputs = json.dumps({"day": f"{at:%Y-%m-%d}", "region": dice.choice(("eu", "us", "ap")), "batch": number})
        error = f"node n1 failed: exit code {dice.randint(1, 9)}" if failed else None
        status, key = "Failed" if failed else "Succeeded", f"schedule:{workflow}:each:{at.isoformat()}"
        row = (
            workspace,
            run,
            at,
            workflow,
            version,
            status,
            "schedule",
            key,
            "each",
            inputs,
            at,
            end,
            took,
            error,
            labels,
        )
        steps: list[tuple[object, ...]] = []
        for index in range(2):
            node, middle = f"n{index}", at + (end - at) / 2
            phase = "Failed" if failed and index else "Succeeded"
            output = json.dumps({"rows": dice.randint(0, 10_000), "checksum": dice.randbytes(8).hex()})
            log = (f"{workspace}/{at:%Y-%m}/{run}/{node}.1.log", dice.randint(100, 10_000), False)
            times = (at, middle) if index == 0 else (middle, end)
            code = 0 if phase == "Succeeded" else 3
            steps.append((workspace, run, at, node, 1, phase, "", "", code, output, *times, *log))
        yield row, steps


def fill(url: str, ids: list[tuple[UUID, UUID, UUID]], count: int) -> None:
    """Put the month there, as it would be after a while: analysed, and without what was noted for those who follow."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT headgate.ensure_partitions(%s, 0)", [_old_month()])
        connection.execute("SET session_replication_role = replica")
        batch: list[tuple[tuple[object, ...], list[tuple[object, ...]]]] = []
        for made in runs_of(ids, count):
            batch.append(made)
            if len(batch) == 20_000:
                _copy(connection, batch)
                batch = []
        _copy(connection, batch)
        connection.execute("SET session_replication_role = origin")
        connection.execute(
            "INSERT INTO headgate.execution_labels SELECT workspace_id, l.key, l.value, started_at, id"
            " FROM headgate.workflow_executions, jsonb_each_text(labels) l"
        )
        connection.execute(
            "INSERT INTO headgate.ended_labels SELECT workspace_id, l.key, l.value, status, started_at, id,"
            " workflow_id FROM headgate.workflow_executions, jsonb_each_text(labels) l"
        )
        connection.execute(
            "INSERT INTO headgate.execution_triggers SELECT workspace_id, trigger_key, id, started_at"
            " FROM headgate.workflow_executions"
        )
        connection.execute("VACUUM ANALYZE")


def _copy(connection: psycopg.Connection, batch: list[tuple[tuple[object, ...], list[tuple[object, ...]]]]) -> None:
    cursor = connection.cursor()
    with cursor.copy(f"COPY headgate.workflow_executions ({_RUN}) FROM STDIN") as copy:
        for row, _ in batch:
            copy.write_row(row)
    with cursor.copy(f"COPY headgate.workflow_execution_steps ({_STEP}) FROM STDIN") as copy:
        for _, steps in batch:
            for step in steps:
                copy.write_row(step)


def stored(url: str) -> int:
    """Bytes of all that is kept of runs in Postgres, indexes included."""
    with psycopg.connect(url) as connection:
        [found] = connection.execute(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c"
            " WHERE c.relnamespace = 'headgate'::regnamespace AND c.relkind = 'r'"
            " AND c.relname ~ ('^(' || array_to_string(%s::text[], '|') || ')')",
            [list(TABLES)],
        ).fetchone() or (0,)
    return int(found)


async def timed(look: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
    """Milliseconds, p50 and p95."""
    times = []
    for number in range(LOOKS):
        started = time.perf_counter()
        await look(number)
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


async def measure(count: int, workspaces: int) -> list[Figure]:
    with a_server() as server, tempfile.TemporaryDirectory() as folder:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        database = Database(server.url(RUNTIME), pool_size=4, statement_timeout=timedelta(seconds=120))
        archive = ObjectStore(f"file://{folder}")
        engine = Engine(database, NoExpressions(), clock=_now, randomness=secrets.token_bytes, archive=archive)
        await engine.ensure_partitions(_now())
        ids = []
        for number in range(workspaces):
            workspace = await engine.workspaces.sync(WorkspaceRecord(f"w{number}", Limits(), suspended=False))
            version = await engine.workflows.record(workspace, "acme", "one", a_chain(2))
            ids.append((workspace, version.workflow_id, version.version_id))
        url = server.url(SUPERUSER)
        empty = stored(url)
        await asyncio.to_thread(fill, url, ids, count)
        before = stored(url) - empty
        archiver = engine.archiver(None)
        assert archiver is not None
        rests: list[float] = []

        drop = months.drop

        async def dropping(*arguments: object) -> str:
            started = time.perf_counter()
            answer = await drop(*arguments)  # type: ignore[arg-type]
            if answer == months.DROPPED and arguments[1] == month_of(_old_month()):
                rests.append(time.perf_counter() - started)
            return answer

        months.drop = dropping  # type: ignore[assignment]
        started = time.perf_counter()
        done = await archiver.run(_now())
        took = time.perf_counter() - started
        after = stored(url) - empty
        size = sum([item.size async for item in archive.list("archive")])
        print(f"{done.runs} runs in {done.parts} parts, {took:.1f} s; {done.removed} parts were removed row by row")
        print(f"before {before / 1e6:.1f} MB; after {after / 1e6:.1f} MB, and {size / 1e6:.1f} MB in the archive")
        # Runs take turns between workspaces.
        mine = [row[1] for row, _ in islice(runs_of(ids, count), 50 * len(ids))][:: len(ids)]
        workspace = ids[0][0]
        by_id = await timed(lambda n: engine.run_view(workspace, UUID(str(mine[n % len(mine)]))))
        page = await timed(lambda _: engine.list_runs(workspace, RunFilter(), None, 50))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        archive.close()
        await database.close()
    print(f"archiving: {done.runs / took:.0f} runs a second; the process had {memory:.0f} MB at most")
    print(f"an archived run by id: p50 {by_id[0]:.1f} ms, p95 {by_id[1]:.1f} ms")
    print(f"the newest 50, all of them archived: p50 {page[0]:.1f} ms, p95 {page[1]:.1f} ms")
    print(f"left in Postgres: {100 * after / before:.1f} %; left of runs for ever are their keys")
    return [
        Figure("storage less than before, archive included", 100 - 100 * (after + size) / before, "%", 70, "higher"),
        Figure("the month's tables go, once its archive is verified", max(rests, default=999.0), "s", 1, "lower"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--workspaces", type=int, default=20)
    given = parser.parse_args()
    command = f"python -m benchmarks.retention --runs {given.runs} --workspaces {given.workspaces}"
    show(asyncio.run(measure(given.runs, given.workspaces)), command)


if __name__ == "__main__":
    main()
