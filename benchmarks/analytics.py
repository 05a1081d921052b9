"""What a refresh of the days of analytics costs with a month of history, and with twelve, on an embedded Postgres.

    python -m benchmarks.analytics [--runs 1000000]

The issue's figure is 10 million runs: ``--runs 10000000``, which takes a few GB of disk. A year of history, with all
its days, is put there by COPY; what is measured is the adding up of the same number of new ends beside one month of it
and beside all of it, and a look at 90 days.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg

from benchmarks.engine import NoExpressions, a_chain, a_server
from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER
from headgate.api.quota import Limits
from headgate.engine.engine import Engine
from headgate.engine.types import WorkspaceRecord
from headgate.store import migrate
from headgate.store.database import Database

NEW_ENDS = 5000
ROUNDS = 15
_COLUMNS = (
    "workspace_id, id, started_at, workflow_id, version_id, status, trigger_kind, trigger_key, trigger_node, inputs,"
    " running_since, finished_at, duration_ms"
)


def _now() -> datetime:
    return datetime.now(UTC)


def copy_history(url: str, workspace: UUID, workflow: UUID, version: UUID, months: range, runs: int) -> None:
    """Add so many runs, spread over those months back from now. They are folded as they would have been."""
    now = _now()
    with psycopg.connect(url, autocommit=True) as connection:
        for back in range(0, 30 * (months.stop + 1), 10):
            connection.execute("SELECT headgate.ensure_partitions(%s, 0)", [now - timedelta(days=back)])
        with connection.cursor().copy(f"COPY headgate.workflow_executions ({_COLUMNS}) FROM STDIN") as copy:
            span = timedelta(days=30 * len(months))
            for number in range(runs):
                at = now - timedelta(days=30 * months.start) - span * (number / runs)
                ended = at + timedelta(milliseconds=1000 + number % 60_000)
                status = "Failed" if number % 50 == 0 else "Succeeded"
                origin = ("schedule", f"seed:{number}", "by-hand", "{}")
                took = 1000 + number % 60_000
                copy.write_row((workspace, uuid4(), at, workflow, version, status, *origin, at, ended, took))
        connection.execute("ANALYZE")


@asynccontextmanager
async def bench() -> AsyncIterator[tuple[str, Engine, UUID, UUID, UUID]]:
    """A Postgres and an engine with one workflow."""
    with a_server() as server:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        database = Database(server.url(RUNTIME), pool_size=4)
        engine = Engine(database, NoExpressions(), clock=_now, randomness=secrets.token_bytes)
        await engine.ensure_partitions(_now())
        workspace = await engine.workspaces.sync(WorkspaceRecord("acme", Limits(), suspended=False))
        version = await engine.workflows.record(workspace, "acme", "one", a_chain(1))
        yield server.url(SUPERUSER), engine, workspace, version.workflow_id, version.version_id
        await database.close()


async def refresh(url: str, engine: Engine, workspace: UUID, workflow: UUID) -> float:
    """Seconds to add up that many new ends, p50. What was taken out before is vacuumed, as time would have done."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE headgate.analytics_deltas")
    times = []
    for _ in range(ROUNDS):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO headgate.analytics_deltas (workspace_id, workflow_id, day, node, sign, phase, duration_ms,"
                " cost, labels) SELECT %s, %s, current_date, CASE WHEN n %% 2 = 0 THEN 'n0' END, 1, 'Succeeded', n,"
                ' 0.001, \'{"team": "shop"}\' FROM generate_series(1, %s) n',
                [workspace, workflow, NEW_ENDS],
            )
        started = time.perf_counter()
        await engine.analytics.fold()
        times.append(time.perf_counter() - started)
        while await engine.analytics.fold():
            pass
    return statistics.median(times)


async def look(engine: Engine, workspace: UUID) -> float:
    """Milliseconds of a look at 90 days, p50."""
    until = _now().date()
    times = []
    for _ in range(20):
        started = time.perf_counter()
        await engine.analytics.view(workspace, until - timedelta(days=89), until)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


async def measure(runs: int) -> list[Figure]:
    async with bench() as (url, engine, workspace, workflow, version):
        seconds = {}
        for name, months, count in (
            ("1 month", range(1), runs // 12),
            ("12 months", range(1, 12), runs * 11 // 12),
        ):
            copy_history(url, workspace, workflow, version, months, count)
            begun = time.perf_counter()
            while await engine.analytics.fold():
                pass
            print(f"{count} runs more were added up in {time.perf_counter() - begun:.1f} s")
            seconds[name] = await refresh(url, engine, workspace, workflow)
        looking = await look(engine, workspace)
    goals = [
        Figure(f"adding up {NEW_ENDS} ends beside {name}", took, "s", 2, "lower") for name, took in seconds.items()
    ]
    ratio = seconds["12 months"] / seconds["1 month"]
    return [
        *goals,
        Figure("the same with 12 months over that with one", ratio, "x", 1.2, "lower"),
        Figure("a look at 90 days", looking, "ms", 50, "lower"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000_000)
    runs = parser.parse_args().runs
    show(asyncio.run(measure(runs)), f"python -m benchmarks.analytics --runs {runs}")


if __name__ == "__main__":
    main()
