"""What labels and events cost, on an embedded Postgres: for those who use them, and for those who do not.

    python -m benchmarks.following [--runs 200000]

Steps are measured in turns with the triggers that note changes switched off and on, so that other work on the machine
meets both alike. The time to a reader is from the engine's answer until a follower of the workspace has the change.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from prometheus_client import CollectorRegistry

from benchmarks.engine import UNLIMITED, Bench, NoExpressions, a_chain, a_server
from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.engine.engine import Engine
from headgate.engine.types import RunFilter, WorkspaceRecord
from headgate.gateway.event_feed import Feed
from headgate.gateway.streams import Streams
from headgate.store import migrate
from headgate.store.database import Database

TABLES = ("workflow_executions", "workflow_execution_steps")
SEED = """
    INSERT INTO headgate.workflow_executions (workspace_id, id, started_at, workflow_id, version_id, status,
        trigger_kind, trigger_key, trigger_node, inputs, finished_at, duration_ms, labels)
    SELECT %(workspace)s, CAST(substr(milliseconds, 1, 12) || '7' || substr(random, 14) AS uuid), t, %(workflow)s,
        %(version)s, 'Succeeded', 'api', 'seed:' || n, 'by-hand', '{}', t, 0,
        jsonb_build_object('team', 'team-' || n %% 10, 'order', 'order-' || n)
    FROM (
        SELECT n, t, lpad(to_hex(CAST(extract(epoch FROM t) * 1000 AS bigint)), 12, '0') AS milliseconds,
            replace(CAST(gen_random_uuid() AS text), '-', '') AS random
        FROM (SELECT n, date_trunc('milliseconds', now() - n * interval '60 days' / %(runs)s) AS t
              FROM generate_series(1, %(runs)s) n) times
    ) seeds
"""


def noting(server: Server, *, on: bool) -> None:
    """Switch the triggers that note changes off or on."""
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        for table in TABLES:
            for trigger in ("note_change", "note_change_of_new"):
                word = "ENABLE" if on else "DISABLE"
                connection.execute(f"ALTER TABLE headgate.{table} {word} TRIGGER {trigger}".encode())


async def in_turns(server: Server, bench: Bench, rounds: int) -> tuple[float, float]:
    """Milliseconds of a step without and with changes noted, p50 over all rounds."""
    without: list[float] = []
    noted: list[float] = []
    for _ in range(rounds):
        for on, times in ((False, without), (True, noted)):
            noting(server, on=on)
            times.append(await bench.step())
    return statistics.median(without), statistics.median(noted)


async def until_told(bench: Bench, workspace_id: UUID, count: int) -> float:
    """Milliseconds from a recorded end to a follower's having it, p95."""
    streams = Streams(bench.engine.changes, CollectorRegistry(), most=1, most_of_workspace=1)

    async def may_read() -> bool:
        return True

    first = await bench.engine.changes.present(workspace_id)
    place = streams.take_place(workspace_id)
    feed = Feed(bench.engine.changes, workspace_id, None, streams.news, place, may_read, ended=False)
    seen: dict[str, float] = {}
    told_all = asyncio.Event()

    async def follow() -> None:
        async for piece in feed.events(first):
            if b'"phase":"Succeeded"' in piece and piece.count(b"event: run"):
                seen[piece.decode().split('"runId":"')[1][:36]] = time.perf_counter()
                if len(seen) == count:
                    told_all.set()

    following = asyncio.create_task(follow())
    ended: dict[str, float] = {}
    for _ in range(count):
        run = await bench.admit("one", workspace_id)
        await bench.finish(run, "n0", workspace_id)
        ended[str(run)] = time.perf_counter()
        await asyncio.sleep(0.03)
    await told_all.wait()
    following.cancel()
    return statistics.quantiles([seen[run] - at for run, at in ended.items()], n=20)[-1] * 1000


async def planned(bench: Bench, filters: RunFilter) -> float:
    """Milliseconds of a page, p95, once every connection has planned it: a server does that once for each."""
    await bench.page(filters)
    return await bench.page(filters)


async def measure(server: Server, runs: int) -> list[Figure]:
    database = Database(server.url(RUNTIME), pool_size=10)
    engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC))
    workspace_id = await engine.workspaces.sync(WorkspaceRecord("acme", UNLIMITED, suspended=False))
    version = await engine.workflows.record(workspace_id, "acme", "one", a_chain(1))
    await engine.workflows.record(workspace_id, "acme", "forty", a_chain(40))
    bench = Bench(engine, workspace_id)
    await bench.step()
    without, noted = await in_turns(server, bench, 6)
    told = await until_told(bench, workspace_id, 100)
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        for months in range(3):
            connection.execute("SELECT headgate.ensure_partitions(now() - make_interval(months => %s), 0)", [months])
        noting(server, on=False)
        names = {"workspace": workspace_id, "workflow": version.workflow_id, "version": version.version_id}
        connection.execute(SEED, names | {"runs": runs})
        noting(server, on=True)
        connection.execute("VACUUM ANALYZE")
    team, order = (("team", "team-3"),), (("order", f"order-{runs // 2}"),)
    figures = [
        Figure(f"a step with changes noted, {without:.3g} ms without, p50", noted, "ms", 1.1 * without, "lower"),
        Figure("from a recorded end to a follower, p95 of 100", told, "ms", 500, "lower"),
        Figure(f"newest 50 of {runs:,} runs, p95", await planned(bench, RunFilter()), "ms", 10, "lower"),
        Figure(
            f"newest 50 of the tenth of {runs:,} runs with a label, p95",
            await planned(bench, RunFilter(labels=team)),
            "ms",
            10,
            "lower",
        ),
        Figure("the one run with a label, p95", await planned(bench, RunFilter(labels=order)), "ms", 10, "lower"),
        Figure(
            "the one run with both labels, p95", await planned(bench, RunFilter(labels=order + team)), "ms", 10, "lower"
        ),
    ]
    await database.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.following")
    parser.add_argument("--runs", type=int, default=200_000, help="size of the history that is paged through")
    arguments = parser.parse_args()
    with a_server() as server:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        show(asyncio.run(measure(server, arguments.runs)), f"python -m benchmarks.following --runs {arguments.runs}")


if __name__ == "__main__":
    main()
