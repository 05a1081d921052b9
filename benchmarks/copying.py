"""How fast rows are copied from a table to another, and what the cursor costs, on an embedded Postgres.

    python -m benchmarks.copying [--rows 200000]

Source, target and the cursor of the engine lie in one Postgres. What the gateway's HTTP adds to a move is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg

from benchmarks.engine import UNLIMITED, NoExpressions, a_server
from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.api.sync import Sync
from headgate.api.workflow import WorkflowSpec
from headgate.domain.runner_protocol import Mark
from headgate.domain.sync import Reached
from headgate.domain.task import TaskRef
from headgate.engine.engine import Engine
from headgate.engine.types import RunRequest, TriggerKind, WorkspaceRecord
from headgate.runner.copying.copy import copy
from headgate.runner.copying.from_postgres import PostgresRows
from headgate.runner.copying.to_postgres import PostgresTable
from headgate.runner.secrets import Redactor
from headgate.store import migrate
from headgate.store.database import Database

BATCH = 500
CONNECTION = {"credentialKeyRef": {"name": "db", "key": "url"}}
SYNC = {
    "source": {"postgres": {"connection": CONNECTION, "table": "bench_orders", "cursor": ["updated_at", "id"]}},
    "target": {"postgres": {"connection": CONNECTION, "table": "bench_copy", "key": ["id"]}},
    "batch": BATCH,
}
TABLES = """
    CREATE TABLE bench_orders (id bigint PRIMARY KEY, updated_at timestamptz, customer text, amount numeric, doc jsonb);
    CREATE TABLE bench_copy (LIKE bench_orders INCLUDING ALL);
    CREATE INDEX ON bench_orders (updated_at, id)
"""
ROWS = """
    INSERT INTO bench_orders SELECT n, now() - (%s - n) * interval '1 second', 'customer ' || n %% 1000, n * 0.01,
        '{"items": [1, 2, 3], "note": "as ordered"}' FROM generate_series(1, %s) n
"""


@dataclass
class EngineCursor:
    """The cursor as the gateway keeps it, and how long its moves took."""

    engine: Engine
    ref: TaskRef
    seconds: list[float] = field(default_factory=list)

    async def take(self) -> Mark:
        reached = await self.engine.cursors.take(self.ref, "bench")
        return Mark(at=reached.at, until=reached.until)

    async def move(self, mark: Mark, records: int) -> None:
        began = time.perf_counter()
        await self.engine.cursors.move(self.ref, "bench", Reached(mark.at, mark.until), records)
        self.seconds.append(time.perf_counter() - began)


async def an_attempt(engine: Engine) -> TaskRef:
    """An attempt of a node that copies, held by the benchmark."""
    workspace: UUID = await engine.workspaces.sync(WorkspaceRecord("bench", UNLIMITED, suspended=False))
    nodes = [
        {"id": "by-hand", "type": "trigger", "config": {"manual": {}}},
        {"id": "copy", "type": "action", "dependsOn": ["by-hand"], "config": {"connector": {"sync": SYNC}}},
    ]
    await engine.workflows.record(workspace, "bench", "copy", WorkflowSpec.model_validate({"nodes": nodes}))
    await engine.admit(RunRequest(workspace, "bench", "copy", TriggerKind.API, str(uuid4())))
    task, _ = await engine.runner_tasks.claim(workspace, "bench", None, "bench", timedelta(hours=1))
    if task is None:
        raise SystemExit("there is nothing to claim")
    return task.ref


async def measure(server: Server, rows: int) -> list[Figure]:
    database = Database(server.url(RUNTIME), pool_size=2)
    engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC))
    await engine.ensure_partitions(datetime.now(UTC))
    cursor, sync = EngineCursor(engine, await an_attempt(engine)), Sync.model_validate(SYNC)
    url = server.url(SUPERUSER)
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as reading,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as writing,
    ):
        await writing.execute(TABLES)
        await writing.execute(ROWS, (rows, rows))
        await writing.execute("ANALYZE bench_orders")
        if sync.source.postgres is None or sync.target.postgres is None:
            raise SystemExit("it copies from table to table")
        source, target = PostgresRows(sync.source.postgres, reading), PostgresTable(sync.target.postgres, writing)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        output = await copy(source, target, cursor, Redactor(()), batch=BATCH, max_batches=10_000)
        seconds = time.perf_counter() - began
    await database.close()
    if output["records"] != rows:
        raise SystemExit(f"{output['records']} of {rows} rows were copied")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return [
        Figure(f"rows copied, of {rows:,} in batches of {BATCH}", rows / seconds, "/s", 5000, "higher"),
        Figure("a move of the cursor, median", statistics.median(cursor.seconds) * 1000, "ms", 5, "lower"),
        Figure("memory that copying adds to the process", grown, "MB", 32, "lower"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.copying")
    parser.add_argument("--rows", type=int, default=200_000, help="rows that are copied")
    arguments = parser.parse_args()
    with a_server() as server:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        show(asyncio.run(measure(server, arguments.rows)), f"python -m benchmarks.copying --rows {arguments.rows}")


if __name__ == "__main__":
    main()
