"""What the engine's transactions cost on an embedded Postgres, without a cluster or an API in between.

    python -m benchmarks.engine [--runs 1000000]

The goals are the shares of the product's figures that the engine may use up: a step of 3.5 ms over the network has room
for one transaction and its way, and 300 runs a second through the API need more than that underneath.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil  # type: ignore[import-untyped]
import psycopg

from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.api.quota import Limits
from headgate.api.workflow import WorkflowSpec
from headgate.api.workflow_run import RunPhase
from headgate.engine.engine import Engine
from headgate.engine.types import (
    Admitted,
    ClaimTerms,
    ExpressionError,
    Outcome,
    RunFilter,
    RunRequest,
    TaskRef,
    TriggerKind,
    WorkspaceRecord,
)
from headgate.store import migrate
from headgate.store.database import Database

UNLIMITED = Limits(max_executions_per_day=100_000_000, max_concurrent_runs=100_000, max_api_calls_per_hour=100_000_000)
SEED = """
INSERT INTO headgate.workflow_executions (workspace_id, id, started_at, workflow_id, version_id, status, trigger_kind,
    trigger_key, trigger_node, inputs, running_since, finished_at, duration_ms, error_message)
SELECT %(workspace)s, (substr(milliseconds, 1, 12) || '7' || substr(random, 14))::uuid, t, %(workflow)s, %(version)s,
    CASE WHEN n %% 50 = 0 THEN 'Failed' ELSE 'Succeeded' END, 'schedule', 'seed:' || n, 'by-hand', '{}', t,
    t + interval '3 seconds', 3000, CASE WHEN n %% 50 = 0 THEN 'work: ExitCode' END
FROM (
    SELECT n, t, lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') AS milliseconds,
        replace(gen_random_uuid()::text, '-', '') AS random
    FROM (SELECT n, date_trunc('milliseconds', now() - n * interval '90 days' / %(runs)s) AS t
          FROM generate_series(1, %(runs)s) n) times
) seeds
"""
BACKLOG = """
INSERT INTO headgate.tasks (workspace_id, execution_id, node, attempt, namespace, workflow, work, timeout_seconds,
    due_at)
SELECT %s, gen_random_uuid(), 'work', 1, 'acme', 'one', '{"container": {"image": "busybox"}}', 60,
    now() - interval '1 hour'
FROM generate_series(1, 100000)
"""


class NoExpressions:
    """An evaluator for workflows without expressions."""

    async def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Any:
        raise ExpressionError("there are none")

    async def evaluate_many(self, expressions: Sequence[str], variables: Mapping[str, Any]) -> list[Any]:
        return [ExpressionError("there are none") for _ in expressions]


def a_chain(length: int) -> WorkflowSpec:
    """So many containers in a row, behind a manual trigger."""
    nodes: list[dict[str, Any]] = [{"id": "by-hand", "type": "trigger", "config": {"manual": {}}}]
    for number in range(length):
        config = {"container": {"image": "busybox"}}
        nodes.append({"id": f"n{number}", "type": "action", "dependsOn": [nodes[-1]["id"]], "config": config})
    return WorkflowSpec.model_validate({"nodes": nodes})


class Bench:
    """One engine and one workspace."""

    def __init__(self, engine: Engine, workspace_id: UUID) -> None:
        self.engine = engine
        self.workspace_id = workspace_id
        self._keys = 0

    async def admit(self, workflow: str, workspace_id: UUID | None = None) -> UUID:
        self._keys += 1
        request = RunRequest(
            workspace_id or self.workspace_id, "acme", workflow, TriggerKind.RESOURCE, f"k{self._keys}"
        )
        answer, _ = await self.engine.admit(request)
        assert isinstance(answer, Admitted)
        return answer.run_id

    async def finish(self, run_id: UUID, node: str, workspace_id: UUID | None = None) -> None:
        ref = TaskRef(workspace_id or self.workspace_id, run_id, node, 1)
        await self.engine.complete(ref, Outcome(succeeded=True, output={"rows": 1}))

    async def step(self) -> float:
        """Milliseconds of one step in a row of forty, p50."""
        times: list[float] = []
        for _ in range(5):
            run = await self.admit("forty")
            for number in range(40):
                started = time.perf_counter()
                await self.finish(run, f"n{number}")
                times.append(time.perf_counter() - started)
        return statistics.median(times) * 1000

    async def runs_a_second(self, workspaces: Sequence[UUID], total: int = 1000, workers: int = 8) -> float:
        """One-step runs, from request to recorded end."""

        async def work(number: int) -> None:
            workspace_id = workspaces[number % len(workspaces)]
            for _ in range(total // workers):
                await self.finish(await self.admit("one", workspace_id), "n0", workspace_id)

        elapsed = await timed(lambda: asyncio.gather(*(work(number) for number in range(workers))))
        return total / elapsed

    async def page(self, filters: RunFilter) -> float:
        """Milliseconds of the newest fifty runs, p95 of 100."""
        await self.engine.list_runs(self.workspace_id, filters)
        times = [await timed(lambda: self.engine.list_runs(self.workspace_id, filters)) for _ in range(100)]
        return statistics.quantiles(times, n=20)[-1] * 1000

    async def claim(self) -> float:
        """Milliseconds of claiming fifty attempts, p95 of 20."""
        times = [
            await timed(lambda: self.engine.claim_jobs(ClaimTerms("bench", 50), datetime.now(UTC))) for _ in range(20)
        ]
        return statistics.quantiles(times, n=20)[-1] * 1000


async def crowd(server: Server, bench: Bench, total: int = 1600) -> float:
    """One-step runs a second that are asked for sixteen at once; what one takes of processors is printed."""
    before, used = processor_seconds(server), time.process_time()
    rate = await bench.runs_a_second([bench.workspace_id], total=total, workers=16)
    client, served = (time.process_time() - used) / total, (processor_seconds(server) - before) / total
    print(f"milliseconds of processors for one of sixteen at once: {client * 1000:.2f}, server {served * 1000:.2f}")
    return rate


def processor_seconds(server: Server) -> float:
    """What the server has used that its processes still know of."""
    root = psutil.Process(server.pid())
    return sum(sum(process.cpu_times()[:2]) for process in (root, *root.children(recursive=True)))


async def timed(act: Callable[[], Awaitable[Any]]) -> float:
    started = time.perf_counter()
    await act()
    return time.perf_counter() - started


@contextmanager
def a_server(listen: str | None = None, installed: Path | None = None) -> Iterator[Server]:
    state = Path(tempfile.mkdtemp(prefix="headgate-bench-"))
    state.chmod(0o755)
    server = Server(state, listen, installed=installed)
    try:
        yield server.up()
    finally:
        server.down()
        shutil.rmtree(state)


async def measure(server: Server, runs: int) -> list[Figure]:
    database = Database(server.url(RUNTIME), pool_size=10)
    engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC))
    workspaces = [await engine.workspaces.sync(WorkspaceRecord(f"w{n}", UNLIMITED, suspended=False)) for n in range(8)]
    for workspace_id in workspaces:
        await engine.workflows.record(workspace_id, "acme", "one", a_chain(1))
        await engine.workflows.record(workspace_id, "acme", "forty", a_chain(40))
    bench = Bench(engine, workspaces[-1])
    await bench.runs_a_second(workspaces, total=80)
    figures = [
        Figure("one of 40 steps in a row, p50 of 200", await bench.step(), "ms", 3.5, "lower"),
        Figure(
            "one-step runs, 8 workers, one workspace", await bench.runs_a_second(workspaces[:1]), "/s", 150, "higher"
        ),
        Figure("one-step runs, 8 workers, 8 workspaces", await bench.runs_a_second(workspaces), "/s", 150, "higher"),
        Figure("one-step runs, 16 workers, one workspace", await crowd(server, bench), "/s", 300, "higher"),
    ]
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        for months in range(4):
            connection.execute("SELECT headgate.ensure_partitions(now() - make_interval(months => %s), 0)", [months])
        version = await engine.workflows.record(workspaces[-1], "acme", "one", a_chain(1))
        # What is seeded is of the past: nothing is noted of it for those who follow.
        connection.execute("SET session_replication_role = replica")
        names = {"workspace": workspaces[-1], "workflow": version.workflow_id, "version": version.version_id}
        connection.execute(SEED, names | {"runs": runs})
        connection.execute("RESET session_replication_role")
        connection.execute(BACKLOG, [workspaces[0]])
        await bench.admit("one")
        connection.execute("VACUUM ANALYZE")
    failed = frozenset([RunPhase.FAILED])
    figures += [
        Figure(f"newest 50 of {runs:,} runs, p95", await bench.page(RunFilter()), "ms", 10, "lower"),
        Figure("the same, of one phase", await bench.page(RunFilter(failed)), "ms", 10, "lower"),
        Figure("the same, of one workflow", await bench.page(RunFilter(workflow=("acme", "one"))), "ms", 10, "lower"),
        Figure("the same, of both", await bench.page(RunFilter(failed, ("acme", "one"))), "ms", 10, "lower"),
        Figure("claiming 50 of 100,000 attempts, p95", await bench.claim(), "ms", 25, "lower"),
    ]
    await database.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine")
    parser.add_argument("--runs", type=int, default=1_000_000, help="size of the history that is paged through")
    arguments = parser.parse_args()
    with a_server() as server:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        show(asyncio.run(measure(server, arguments.runs)), f"python -m benchmarks.engine --runs {arguments.runs}")


if __name__ == "__main__":
    main()
